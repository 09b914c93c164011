import pg from "pg";
import { perceptron } from "../support/onnx-models.js";
import { startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";
import { storedObjects } from "../support/platform-engines.js";
import { digestOf, promote, uploadVersion } from "../support/registry.js";
import { serviceEnvironment } from "../support/service-tier.js";
import { until } from "../support/until.js";
import type { Receipt } from "../support/upkeep.js";
import { cleanUp, ended, start, upkeep } from "../support/upkeep.js";

const model = (version: number) => perceptron([3, 3 + version, 2]);

let platform: Platform;
let holder: pg.Client;

beforeAll(async () => {
  platform = await startPlatform();
  const { ML_VECTOR_DB_DSN: dsn } = await serviceEnvironment(platform.dataDir);
  holder = new pg.Client({ connectionString: dsn });
  await holder.connect();
});

afterAll(async () => {
  await holder.end();
  await platform.remove();
});

async function someoneWaits(): Promise<boolean> {
  const { rows } = await holder.query(
    "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
  );
  return rows.length > 0;
}

test("what a backup saw that was taken while a cleanup went on stays until the next one", async () => {
  for (const number of [1, 2, 3]) {
    await uploadVersion(platform, "spread", model(number));
    await promote(platform, { model: "spread", number });
  }
  // The cleanup has made its plan, and waits for the model to give up its first version.
  await holder.query("BEGIN");
  await holder.query("SELECT FROM models FOR UPDATE");
  const cleanup = await start(platform, "startCleanup", { days: 0, dryRun: false });
  await until(someoneWaits);
  const backup = await upkeep<{ artifacts: number }>(platform, "startBackup");
  expect(backup.artifacts).toBe(3);
  await holder.query("COMMIT");

  const { versions, artifacts } = (await ended(platform, cleanup)).result as unknown as Receipt;
  expect(versions).toMatchObject([{ model: "spread", number: 1 }]);
  expect(artifacts).toEqual([]);
  expect(await storedObjects(platform)).toContain(digestOf(model(1)));
  expect((await cleanUp(platform, 0, false)).artifacts).toEqual([]);
});
