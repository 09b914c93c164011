import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { FolderObjectStore } from "../../src/adapters/embedded/folder-object-store.js";
import { fillPredictions } from "../support/fill-predictions.js";
import { startPlatform } from "../support/platform.js";
import { findPostgres } from "../support/postgres-install.js";
import { makeServicePlace } from "../support/service-tier.js";
import { startServices } from "../support/start-services.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { cleanUp, upkeep } from "../support/upkeep.js";
import type { BenchRow, BenchTable } from "./bench-table.js";

const GIGABYTE = 1_000_000_000;
const ARTIFACTS = 10_000;
const JOB_TIMEOUT_MS = 600_000;
const CLI = fileURLToPath(new URL("../../bundle/cli.js", import.meta.url));
const run = promisify(execFile);

/** How long a backup and its restore take, over the plain programs on the same server; and a large cleanup. */
export async function upkeepBench(): Promise<BenchTable> {
  return { title: "Upkeep", rows: [...(await backup()), await cleanup()] };
}

async function backup(): Promise<BenchRow[]> {
  const services = await startServices();
  const bin = await findPostgres();
  const folder = await temporaryFolder();
  const [from, to] = [await makeServicePlace(services.addresses), await makeServicePlace(services.addresses)];
  const settings = { ML_POSTGRES_BIN: bin, ML_BACKUP_CRON: "off" };
  const platform = await startPlatform({ environment: { ...from.environment, ...settings } });
  try {
    const bytes = await fillPredictions(from.environment.ML_VECTOR_DB_DSN!, GIGABYTE);
    const file = join(folder.path, "plain.dump");
    const dsn = `--dbname=${from.environment.ML_VECTOR_DB_DSN}`;
    const dumped = await seconds(() => run(join(bin, "pg_dump"), ["--format=custom", `--file=${file}`, dsn]));
    await rm(file);
    const ours = await seconds(() => upkeep(platform, "startBackup", {}, JOB_TIMEOUT_MS));
    const restored = await seconds(() =>
      run(process.execPath, [CLI, "restore", "--json"], {
        env: {
          ...{ PATH: process.env.PATH, ML_ENV: "development", ML_DATA_DIR: folder.path, ...settings },
          ...to.environment,
          // The backup is where it was made; the database is empty.
          ML_S3_BUCKET: from.environment.ML_S3_BUCKET!,
        },
      }),
    );
    const size = `${(bytes / GIGABYTE).toFixed(1)} GB`;
    return [
      {
        name: `\`backup\` of ${size} of predictions, dumped, read back, stored and verified / pg_dump alone`,
        value: `${(ours / dumped).toFixed(2)} (${ours.toFixed(1)} s / ${dumped.toFixed(1)} s)`,
      },
      { name: "its `restore` into an empty database, counted", value: `${restored.toFixed(1)} s` },
    ];
  } finally {
    await platform.remove();
    await folder.remove();
    await services.stop();
  }
}

async function cleanup(): Promise<BenchRow> {
  const folder = await temporaryFolder();
  const store = await FolderObjectStore.open(join(folder.path, "objects"));
  for (let i = 0; i < ARTIFACTS; i++) {
    const content = randomBytes(1_000);
    const sha256 = createHash("sha256").update(content).digest("hex");
    await store.put({ sha256, bytes: content.length }, one(content));
  }
  await store.close();
  const platform = await startPlatform({ dataDir: folder.path });
  try {
    let removed = 0;
    const took = await seconds(async () => {
      removed = (await cleanUp(platform, 0, false)).counts.artifacts!;
    });
    return {
      name: `\`cleanup\` of ${removed.toLocaleString("en")} artifacts that nothing refers to, embedded`,
      value: `${took.toFixed(1)} s`,
    };
  } finally {
    await platform.remove();
  }
}

async function* one(content: Uint8Array): AsyncGenerator<Uint8Array> {
  yield content;
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
}
