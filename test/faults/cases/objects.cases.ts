import { spawnSync } from "node:child_process";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { startFaultProxy } from "../../support/fault-proxy.js";
import type { Fault as S3Fault } from "../../support/fault-proxy.js";
import { startPlatform } from "../../support/platform.js";
import { announce, announcementOf, digestOf, put, register } from "../../support/registry.js";
import { temporaryFolder } from "../../support/temporary-folder.js";
import type { Fault, FaultOutcome } from "../fault.js";
import { GraphClient } from "../graph-client.js";
import { offsetModel } from "../offset-model.js";
import { judged, underLoad } from "../under-load.js";
import { Workload } from "../workload.js";
import { CurvesWriter } from "../writers/curves.writer.js";
import { DocumentsWriter } from "../writers/documents.writer.js";
import { UploadsWriter } from "../writers/uploads.writer.js";

const LASTS_MS = 3_000;

function unwell(name: string, fault: S3Fault, ci: boolean): Fault {
  return {
    ...{ name, engine: "objects", ci },
    run: async (tier) => {
      const proxy = await startFaultProxy(tier.s3.endpoint);
      try {
        return await underLoad(
          tier,
          { servers: ({ s3 }) => ({ s3: { ...s3, endpoint: proxy.endpoint } }) },
          async () => {
            proxy.inject(fault);
            await delay(LASTS_MS);
            proxy.heal();
            return { at: performance.now() };
          },
        );
      } finally {
        await proxy.close();
      }
    },
  };
}

const FULL_BYTES = 4 * 2 ** 20;

/** The embedded tier on a file system of its own for objects, which somebody else fills. */
const diskFull: Fault = {
  ...{ name: "disk full under the objects", engine: "objects", ci: false },
  run: async () => {
    const folder = await temporaryFolder();
    const objects = join(folder.path, "objects");
    await mkdir(objects);
    const { status, stderr } = spawnSync("mount", [
      "-t",
      "tmpfs",
      "-o",
      `size=${FULL_BYTES}`,
      "tmpfs",
      objects,
    ]);
    if (status !== 0) throw new Error(`a small file system needs root: ${stderr}`);
    try {
      return await onFullDisk(folder.path, objects);
    } finally {
      spawnSync("umount", ["-l", objects]);
      await folder.remove();
    }
  },
};

async function onFullDisk(dataDir: string, objects: string): Promise<FaultOutcome> {
  const platform = await startPlatform({ dataDir });
  try {
    const gateways = [new GraphClient(platform.url)];
    const writers = [new UploadsWriter("full"), new CurvesWriter("full"), new DocumentsWriter("full")];
    const workload = new Workload(writers, () => gateways);
    await workload.prepare();
    await register(platform, { name: "full", kind: "TENSOR" });
    const { data } = await announce(platform, { model: "full", ...announcementOf(offsetModel(1)) });
    workload.start();
    await workload.until(2);
    await fill(join(objects, "filler"));
    const refused = await put(data!.createModelVersion.upload.url, offsetModel(1));
    const words = await refused.text();
    const violations =
      /no space/i.test(words) && refused.status === 503 ? [] : [`refused as ${refused.status} ${words}`];
    await delay(LASTS_MS);
    await rm(join(objects, "filler"));
    const recoveryMs = await workload.recoveredFrom(performance.now());
    await workload.stop();
    const report = await workload.report(gateways[0]!);
    violations.push(...report.refusals, ...(await leftovers(objects)));
    return { ...judged(report), recoveryMs, violations, note: `refused with ${refused.status}` };
  } finally {
    await platform.stop("SIGKILL");
  }
}

/** Takes all the space there is. */
async function fill(path: string): Promise<void> {
  for (let size = FULL_BYTES; size >= 1; size = Math.floor(size / 2)) {
    await writeFile(path, new Uint8Array(size), { flag: "a" }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOSPC") throw error;
    });
  }
}

/** Files that are not whole, and drafts of nobody. */
async function leftovers(objects: string): Promise<string[]> {
  const entries = await readdir(objects, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const drafts = files.filter(({ parentPath }) => parentPath.includes("/drafts"));
  const whole = await Promise.all(
    files
      .filter(({ name }) => /^[0-9a-f]{64}$/.test(name))
      .map(async ({ parentPath, name }) => digestOf(await readFile(join(parentPath, name))) === name),
  );
  const broken = whole.filter((ok) => !ok).length;
  return [
    ...(drafts.length > 0 ? [`${drafts.length} drafts are left`] : []),
    ...(broken > 0 ? [`${broken} objects are not what their name says`] : []),
  ];
}

export const objectFaults: Fault[] = [
  unwell("S3 answers 500", { kind: "status", status: 500 }, true),
  unwell("S3 stalls", { kind: "stall" }, false),
  unwell("S3 cuts its answers short", { kind: "truncate", afterBytes: 20 }, false),
  unwell("S3's answers get lost", { kind: "lose-answer" }, false),
  diskFull,
];
