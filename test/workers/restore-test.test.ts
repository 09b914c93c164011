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

/** Rows of one statement in the database that the DSN of the tests names. */
async function onTrialServer(statement: string): Promise<object[]> {
  const client = new pg.Client({ connectionString: dsn! });
  await client.connect();
  try {
    return (await client.query<object>(statement)).rows;
  } finally {
    await client.end();
  }
}

/** What a test has left where it restores, and of dumps that it opened. */
async function leftOver(): Promise<unknown[]> {
  const dumps = await readdir(join(platform.dataDir, "dumps"), { recursive: true });
  const files = dumps.filter((name) => /restore/.test(name));
  if (onServiceTier) {
    return [
      ...files,
      ...(await onTrialServer("SELECT datname FROM pg_database WHERE datname ~ 'restore_test'")),
    ];
  }
  const names = await readdir(join(platform.dataDir, "restore-test"));
  return [...files, ...names.filter((name) => name !== "lock")];
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
  expect(platform.log).toContainEqual(expect.objectContaining({ event: "backup.restore_tested", backup }));
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

if (!onServiceTier) {
  test("a damaged dump fails the test at once, in the words of a restore", async () => {
    const names = await readdir(join(mirror.path, "archive"), { recursive: true });
    const dumps = names.filter((name) => name.endsWith("database.dump.age")).sort();
    expect(dumps.length).toBe(2);
    const dump = join(platform.dataDir, "archive", dumps.at(-1)!);
    const copy = join(mirror.path, "archive", dumps.at(-1)!);
    const whole = await readFile(dump);
    for (const file of [dump, copy]) await writeFile(file, whole.subarray(1));
    const job = await ended(platform, await start(platform, "startRestoreTest"));
    expect(job).toMatchObject({ state: "FAILED", error: expect.stringContaining("is damaged") });
    for (const file of [dump, copy]) await writeFile(file, whole);
    expect(await leftOver()).toEqual([]);
  });

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
    await writeFile(own!, artifact);
  });
}

test("one that is cancelled half-way leaves nothing, and the next one succeeds", async () => {
  const id = await start(platform, "startRestoreTest");
  await eventually(
    () => platform.query<{ job: { state: string } }>("query ($id: ID!) { job(id: $id) { state } }", { id }),
    ({ job }) => job.state === "ACTIVE",
  );
  // It has a file as soon as it has come to the dump.
  const opened = join(platform.dataDir, "dumps");
  await eventually(
    () => readdir(opened, { recursive: true }),
    (names) => names.some((name) => name.includes(".restore")),
  );
  await platform.query("mutation ($id: ID!) { cancelJob(input: { job: $id }) { job { id } } }", { id });
  expect(await ended(platform, id)).toMatchObject({ state: "CANCELLED" });
  await eventually(leftOver, (left) => left.length === 0);
  await upkeep(platform, "startRestoreTest");
  expect(await leftOver()).toEqual([]);
});

if (onServiceTier) {
  const SCRATCH = "restore_test_of_254carbon";

  test("what others have on that server is not touched, and what a killed test has left goes", async () => {
    await onTrialServer("CREATE SCHEMA vectors; CREATE TABLE models (id int); INSERT INTO models VALUES (7)");
    await onTrialServer(`CREATE DATABASE ${SCRATCH}`);
    await upkeep(platform, "startRestoreTest");
    expect(await leftOver()).toEqual([]);
    expect(await onTrialServer("SELECT id FROM models")).toEqual([{ id: 7 }]);
    expect(await onTrialServer("SELECT FROM pg_namespace WHERE nspname = 'vectors'")).toHaveLength(1);
  });

  test("a second test waits for the first; where there is no server, or no right, the job says so", async () => {
    const client = new pg.Client({ connectionString: dsn! });
    await client.connect();
    await client.query("SELECT pg_advisory_lock(hashtext('254carbon'), hashtext('restore-test'))");
    const id = await start(platform, "startRestoreTest");
    await eventually(
      () =>
        platform.query<{ job: { state: string; error: string | null } }>(
          "query ($id: ID!) { job(id: $id) { state error } }",
          { id },
        ),
      ({ job }) => job.state === "DELAYED" && /another test/.test(job.error ?? ""),
    );
    await client.query("CREATE ROLE no_superuser LOGIN CREATEDB PASSWORD 'canary-of-the-role'");
    await client.end();
    expect(await ended(platform, id)).toMatchObject({ state: "COMPLETED" });

    const bare = await startPlatform();
    try {
      const job = await ended(bare, await start(bare, "startRestoreTest"));
      expect(job).toMatchObject({ state: "FAILED", error: expect.stringContaining("ML_RESTORE_TEST_DSN") });
      expect((await metricsOf(bare)).filter(({ name }) => name === RESTORED)).toEqual([]);
    } finally {
      await bare.remove();
    }
  });

  test("a role without the right is told in one line, without its password", async () => {
    const as = Object.assign(new URL(dsn!), {
      username: "no_superuser",
      password: "canary-of-the-role",
    }).href;
    const poor = await startPlatform({ environment: { ML_RESTORE_TEST_DSN: as } });
    try {
      await upkeep(poor, "startBackup");
      const { state, error } = await ended(poor, await start(poor, "startRestoreTest"));
      expect(state).toBe("FAILED");
      expect(error).toMatch(/permission denied to create extension/);
      expect(error).not.toMatch(/\n\s+at |canary/);
      expect(await leftOver()).toEqual([]);
    } finally {
      await poor.remove();
      await onTrialServer("DROP ROLE no_superuser");
    }
  });
}
