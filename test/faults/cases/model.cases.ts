import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PutObjectCommand } from "@aws-sdk/client-s3";
import { greedy } from "../../support/onnx-models.js";
import { eventually } from "../../support/platform.js";
import { digestOf, uploadVersion } from "../../support/registry.js";
import type { Fault } from "../fault.js";
import { bearer } from "../../support/tokens.js";
import { GraphClient } from "../graph-client.js";
import { offsetModel } from "../offset-model.js";
import { s3Client } from "../place.js";
import { toPlatform } from "../to-platform.js";
import { underLoad } from "../under-load.js";
import type { SiteUnderLoad } from "../under-load.js";

const MIB = 2 ** 20;
/** Has a bit of a constant flipped, or ends in the middle. */
const DAMAGES = ["a flipped bit", "half a file"] as const;
const HEALS_WITHIN_MS = 30_000;

function damaged(bytes: Uint8Array, damage: (typeof DAMAGES)[number]): Uint8Array {
  if (damage === "half a file") return bytes.slice(0, bytes.length / 2);
  const flipped = bytes.slice();
  flipped[bytes.length - 1]! ^= 1;
  return flipped;
}

const inCopy: Fault = {
  ...{ name: "damaged copy of a model on disk", engine: "model", ci: true },
  run: (tier) =>
    underLoad(tier, {}, async ({ cluster }) => {
      const violations: string[] = [];
      const gateway = cluster.gateways[0]!;
      for (const [i, damage] of DAMAGES.entries()) {
        const name = `copied-${i}`;
        const { bytes } = await uploaded({ cluster }, name, 10 + i);
        await predictionOf(gateway, name);
        await gateway.stop();
        const copies = await copiesOf(gateway.dataDir, digestOf(bytes));
        if (copies.length === 0) throw new Error("the gateway keeps no copy of the model on disk");
        for (const copy of copies) await writeFile(copy, damaged(bytes, damage));
        await gateway.restart();
        const y = await predictionOf(gateway, name);
        if (y !== 11 + i) violations.push(`with ${damage} in its copy the model answers ${y}`);
      }
      return { at: performance.now(), violations, note: DAMAGES.join(", ") };
    }),
};

const inStore: Fault = {
  ...{ name: "damaged model in the store", engine: "model", ci: false },
  run: (tier) =>
    underLoad(tier, {}, async (site) => {
      const violations: string[] = [];
      const client = s3Client(tier.s3.endpoint);
      for (const [i, damage] of DAMAGES.entries()) {
        const name = `stored-${i}`;
        const { bytes } = await uploaded(site, name, 20 + i);
        const Key = `objects/${digestOf(bytes).slice(0, 2)}/${digestOf(bytes)}`;
        const put = (Body: Uint8Array) =>
          client.send(new PutObjectCommand({ Bucket: site.place.name, Key, Body }));
        await put(damaged(bytes, damage));
        // One that has no copy yet.
        const fresh = await site.cluster.addGateway();
        const asked = new GraphClient(fresh.url, bearer(site.cluster.token));
        const { errors } = await asked.ask(PREDICT, { input: inputOf(name) });
        if (errors) violations.push(...unclear(errors[0]!));
        else violations.push(`${damage} in the store was served`);
        await put(bytes);
        const y = await eventually(
          () => predictionOf(fresh, name).catch(() => undefined),
          (answer) => answer !== undefined,
          HEALS_WITHIN_MS,
        );
        if (y !== 21 + i) violations.push(`healed, the model answers ${y}`);
      }
      client.destroy();
      return { at: performance.now(), violations, note: `${DAMAGES.join(", ")}; served again once mended` };
    }),
};

function unclear({ message, extensions: { code } }: { message: string; extensions: { code: string } }) {
  return code === "UNAVAILABLE" ? [] : [`a damaged model was refused as ${code}: ${message}`];
}

/** 8 GB as soon as it is loaded. */
const HUNGRY = greedy(2_000, 1_000_000);

const inValidation: Fault = {
  ...{ name: "model that eats memory, uploaded", engine: "model", ci: false },
  run: (tier) =>
    underLoad(
      tier,
      { environment: { ML_VALIDATION_MEMORY_BYTES: String(512 * MIB) } },
      async ({ gateways }) => {
        const { status, rejection } = await uploadVersion(toPlatform(gateways()[0]!), "hungry", HUNGRY);
        const violations =
          status === "REJECTED" && rejection?.includes("took more than 512 MB")
            ? []
            : [`it became ${status}`];
        return { at: performance.now(), violations, note: rejection ?? "" };
      },
    ),
};

/** Harmless until a caller asks for 4 GB of ones; the process may have one more, as in a container. */
const inPrediction: Fault = {
  ...{ name: "model that eats memory, called", engine: "model", ci: false },
  run: (tier) =>
    underLoad(tier, {}, async ({ cluster, gateways }) => {
      const gateway = cluster.gateways[0]!;
      await uploadVersion(toPlatform(gateways()[0]!), "bomb", greedy(1, 1));
      limitMemory(gateway.pid, 1024 * MIB);
      const { errors } = await gateway.ask(PREDICT, {
        input: { model: "bomb", version: { number: 1 }, inputs: [{ name: "x", values: [1_000, 1_000_000] }] },
      });
      const violations = errors ? [] : ["4 GB were had"];
      const code = errors?.[0]?.extensions.code;
      if (code === "INTERNAL") violations.push(`refused as ${code}`);
      return { at: performance.now(), violations, note: `refused as ${code}; the process goes on` };
    }),
};

/** Address space that a running process may have, beyond what it has. */
function limitMemory(pid: number, more: number): void {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const has = Number(/^VmSize:\s+(\d+) kB/m.exec(status)![1]) * 1024;
  const { status: code, stderr } = spawnSync("prlimit", [`--pid=${pid}`, `--as=${has + more}`]);
  if (code !== 0) throw new Error(`prlimit: ${stderr?.toString() ?? "is not installed"}`);
}

const PREDICT = `query Predict($input: PredictInput!) { predict(input: $input) { outputs { values } } }`;

function inputOf(model: string) {
  return { model, version: { number: 1 }, inputs: [{ name: "x", values: [[1]] }] };
}

async function uploaded({ cluster }: Pick<SiteUnderLoad, "cluster">, name: string, offset: number) {
  const bytes = offsetModel(offset);
  const { status } = await uploadVersion(cluster.gateways[0]!, name, bytes);
  if (status !== "READY") throw new Error(`${name} is ${status}`);
  return { bytes };
}

interface Gateway {
  query<T>(query: string, variables?: object): Promise<T>;
}

async function predictionOf(gateway: Gateway, model: string): Promise<number> {
  const { predict } = await gateway.query<{ predict: { outputs: [{ values: number[][] }] } }>(PREDICT, {
    input: inputOf(model),
  });
  return predict.outputs[0].values[0]![0]!;
}

/** Files below a folder that have this content. */
async function copiesOf(folder: string, sha256: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const found = await Promise.all(
    paths.map(async (path) => (digestOf(await readFile(path)) === sha256 ? path : undefined)),
  );
  return found.filter((path) => path !== undefined);
}

export const modelFaults: Fault[] = [inCopy, inStore, inValidation, inPrediction];
