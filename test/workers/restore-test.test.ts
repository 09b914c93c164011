import { readFile, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { generateIdentity, identityToRecipient } from "age-encryption";
import pg from "pg";
import { metric, metricsOf } from "../support/metrics.js";
import { perceptron } from "../support/onnx-models.js";
import { eventually, refusalOf, startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";
import { digestOf, uploadVersion } from "../support/registry.js";
import { runCli } from "../support/run-cli.js";
import { onServiceTier, removeServicePlace, serviceEnvironment } from "../support/service-tier.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import type { TemporaryFolder } from "../support/temporary-folder.js";
import { ended, start, upkeep } from "../support/upkeep.js";

let platform: Platform;
/** Of the folder's name: where restores are tested, on the service tier. */
let trial: TemporaryFolder;
let mirror: TemporaryFolder;
let dsn: string | undefined;
const artifact = perceptron([3, 5, 2]);

const RESTORED = "restore_test_last_success_timestamp_seconds";

beforeAll(async () => {
  [trial, mirror] = [await temporaryFolder(), await temporaryFolder()];
  dsn = (await serviceEnvironment(trial.path)).ML_VECTOR_DB_DSN;
  const identity = await generateIdentity();
  platform = await startPlatform({
    environment: {
      ...{ ML_BACKUP_CRON: "off", ML_MIRROR_CRON: "off", ML_MIRROR_DIR: mirror.path },
      ...{ ML_BACKUP_RECIPIENTS: await identityToRecipient(identity), ML_BACKUP_IDENTITY: identity },
      ...(dsn === undefined ? {} : { ML_RESTORE_TEST_DSN: dsn }),
    },
  });
  await uploadVersion(platform, "spread", artifact);
});

afterAll(async () => {
  await platform.remove();
  await removeServicePlace(trial.path);
  await trial.remove();
  await mirror.remove();
});

const testRestore = (...args: string[]) =>
  runCli(["test-restore", ...args, "--json"], { ML_URL: platform.url });

/** Relations in the database that restores are tested in. */
async function inTrial(statement: string): Promise<object[]> {
  const client = new pg.Client({ connectionString: dsn! });
  await client.connect();
  try {
    return (await client.query<object>(statement)).rows;
  } finally {
    await client.end();
  }
}

async function leftOver(): Promise<unknown[]> {
  if (!onServiceTier) {
    const names = await readdir(join(platform.dataDir, "restore-test"));
    return names.filter((name) => name !== "lock");
  }
  return inTrial(
    `SELECT c.oid::regclass AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname IN ('public', 'vectors', 'restore_test') AND NOT EXISTS
       (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')`,
  );
}

test("before there is a backup, a test says so, and none is on record", async () => {
  await eventually(
    async () => (await metricsOf(platform)).find(({ name }) => name === RESTORED)?.value,
    (value) => value === 0,
  );
  const job = await ended(platform, await start(platform, "startRestoreTest"));
  expect(job).toMatchObject({ state: "FAILED", error: expect.stringContaining("there is no backup") });
});

test("a backup is restored beside the running platform, every row counted, and nothing of it stays", async () => {
  const { backup } = await upkeep<{ backup: string }>(platform, "startBackup");
  for (const times of [1, 2]) {
    const { code, stdout } = await testRestore();
    expect([times, code]).toEqual([times, 0]);
    expect(JSON.parse(stdout)).toMatchObject({
      ...{ backup, rows: { "public.models": 1, "public.model_versions": 1 } },
      artifacts: { verified: 1, copied: 0, bytes: artifact.byteLength },
    });
    expect(await leftOver()).toEqual([]);
  }
  await eventually(
    () => metric(platform, RESTORED),
    (seconds) => Math.abs(seconds - Date.now() / 1000) < 300,
  );
  expect(await metric(platform, "restore_test_seconds")).toBeGreaterThan(0);
  const { models } = await platform.query<{ models: { totalCount: number } }>("{ models { totalCount } }");
  expect(models.totalCount).toBe(1);
});

test("one that failed is tried again from the command line, and one that has ended is not cancelled", async () => {
  const { jobs } = await platform.query<{ jobs: { edges: { node: { id: string } }[] } }>(
    `{ jobs(kind: "test-restore", state: FAILED) { edges { node { id } } } }`,
  );
  const [{ node: failed }] = jobs.edges as [{ node: { id: string } }];
  const cli = (...args: string[]) => runCli(["jobs", ...args], { ML_URL: platform.url });
  expect(await cli("retry", failed.id)).toMatchObject({
    code: 0,
    stdout: expect.stringContaining(failed.id),
  });
  expect(await ended(platform, failed.id)).toMatchObject({ state: "COMPLETED" });
  expect(await cli("cancel", failed.id)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("PRECONDITION_FAILED"),
  });
  expect(await cli("retry")).toMatchObject({ code: 2, stderr: expect.stringContaining("id of a job") });
  expect(await cli("repeat", failed.id)).toMatchObject({ code: 2 });
});

test("one backup of several is tested by its id", async () => {
  const { backups } = await platform.query<{
    backups: { edges: { node: { id: string; takenAt: string } }[] };
  }>("{ backups { edges { node { id takenAt } } } }");
  const first = backups.edges.at(-1)!.node;
  await upkeep(platform, "startBackup");
  const { stdout } = await testRestore("--from", first.id);
  expect(JSON.parse(stdout)).toMatchObject({ takenAt: first.takenAt });
  const unknown = Buffer.from("Backup:00000000-0000-4000-8000-000000000000").toString("base64url");
  const answer = await platform.ask(
    `mutation { startRestoreTest(input: { backup: "${unknown}" }) { job { id } } }`,
  );
  expect(refusalOf(answer)).toBe("NOT_FOUND input.backup");
});

test("a damaged dump fails the test at once, in the words of a restore", async () => {
  const names = await readdir(join(mirror.path, "archive"), { recursive: true });
  const dumps = names.filter((name) => name.endsWith("database.dump.age")).sort();
  expect(dumps.length).toBe(2);
  if (onServiceTier) return;
  const dump = join(platform.dataDir, "archive", dumps.at(-1)!);
  const copy = join(mirror.path, "archive", dumps.at(-1)!);
  const whole = await readFile(dump);
  for (const file of [dump, copy]) await writeFile(file, whole.subarray(1));
  const job = await ended(platform, await start(platform, "startRestoreTest"));
  expect(job).toMatchObject({ state: "FAILED", error: expect.stringContaining("is damaged") });
  for (const file of [dump, copy]) await writeFile(file, whole);
  expect(await leftOver()).toEqual([]);
});

if (!onServiceTier) {
  test("an artifact that is in the mirror alone is told, and left there; one that is nowhere fails the test", async () => {
    const digest = digestOf(artifact);
    const [own, mirrored] = [platform.dataDir, mirror.path].map((folder) =>
      join(folder, "objects", ...(folder === mirror.path ? [] : ["objects"]), digest.slice(0, 2), digest),
    );
    await rm(own!);
    expect(await upkeep(platform, "startRestoreTest")).toMatchObject({
      artifacts: { verified: 0, copied: 1 },
    });
    await expect(readFile(own!)).rejects.toThrow("ENOENT");
    await rm(mirrored!);
    const job = await ended(platform, await start(platform, "startRestoreTest"));
    expect(job).toMatchObject({ state: "FAILED", error: expect.stringContaining("missing or damaged") });
  });
}

if (onServiceTier) {
  test("what others have in that database is not touched, and what a killed test has left goes", async () => {
    await inTrial("CREATE TABLE theirs (id int); INSERT INTO theirs VALUES (7)");
    const refused = await ended(platform, await start(platform, "startRestoreTest"));
    expect(refused).toMatchObject({ state: "FAILED", error: expect.stringContaining("public.theirs") });
    expect(await inTrial("SELECT id FROM theirs")).toEqual([{ id: 7 }]);
    await inTrial("ALTER TABLE theirs RENAME TO models; CREATE SCHEMA restore_test");
    await upkeep(platform, "startRestoreTest");
    expect(await leftOver()).toEqual([]);
  });

  test("two tests do not share the database, and without one there is none", async () => {
    const client = new pg.Client({ connectionString: dsn! });
    await client.connect();
    await client.query("SELECT pg_advisory_lock(hashtext('254carbon'), hashtext('restore-test'))");
    const refused = await ended(platform, await start(platform, "startRestoreTest"));
    await client.end();
    expect(refused).toMatchObject({ state: "FAILED", error: expect.stringContaining("another test") });

    const bare = await startPlatform();
    try {
      const job = await ended(bare, await start(bare, "startRestoreTest"));
      expect(job).toMatchObject({ state: "FAILED", error: expect.stringContaining("ML_RESTORE_TEST_DSN") });
      expect((await metricsOf(bare)).filter(({ name }) => name === RESTORED)).toEqual([]);
    } finally {
      await bare.remove();
    }
  });
}
