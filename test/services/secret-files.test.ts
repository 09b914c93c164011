import { mkdir, rename, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createCollection, endedJob, ingest } from "../support/documents.js";
import { startFaultProxy } from "../support/fault-proxy.js";
import type { FaultProxy } from "../support/fault-proxy.js";
import { linearModel } from "../support/onnx-models.js";
import { eventually, refusalOf, refusedStart, startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";
import { startPostgres } from "../support/postgres-server.js";
import type { PostgresServer } from "../support/postgres-server.js";
import { RawSocket } from "../support/raw-socket.js";
import { startRedis } from "../support/redis-server.js";
import type { RedisServer } from "../support/redis-server.js";
import { uploadVersion } from "../support/registry.js";
import { serviceEnvironment } from "../support/service-tier.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { bearer, issueToken, TEST_SECRET } from "../support/tokens.js";
import { until } from "../support/until.js";

const OTHER_SECRET = "another secret of the tests, long enough as well";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let postgres: PostgresServer;
let redis: RedisServer;
let s3: FaultProxy;
let platform: Platform;
const secrets: Record<string, string> = {};

/** Mounts all secrets in one step, as Kubernetes does: a link to a folder of files is replaced by another. */
let mounts = 0;
async function mount(changes: Record<string, string>): Promise<void> {
  Object.assign(secrets, changes);
  const mounted = join(folder.path, `mount${++mounts}`);
  await mkdir(mounted);
  for (const [name, value] of Object.entries(secrets)) await writeFile(join(mounted, name), `${value}\n`);
  await symlink(mounted, join(folder.path, "next"));
  await rename(join(folder.path, "next"), join(folder.path, "secrets"));
}

/** Replaces secrets, and waits until the platform has them. */
async function replace(changes: Record<string, string>): Promise<void> {
  const before = platform.log.length;
  await mount(changes);
  await eventually(
    async () => platform.log.slice(before).find(({ event }) => event === "secrets.reread"),
    (line) => line !== undefined,
  );
}

const dsnOf = (password: string) =>
  `postgresql://rotated:${encodeURIComponent(password)}@127.0.0.1:${postgres.port}/platform`;
const redisUrl = (password: string) => `redis://:${password}@127.0.0.1:${redis.port}`;

beforeAll(async () => {
  folder = await temporaryFolder();
  [postgres, redis] = await Promise.all([startPostgres(), startRedis({ password: "first" })]);
  await postgres.query("CREATE ROLE rotated SUPERUSER LOGIN PASSWORD 'first'");
  await postgres.createDatabase("platform");
  const environment = await serviceEnvironment(folder.path);
  s3 = await startFaultProxy(environment.ML_S3_ENDPOINT!);
  await mount({
    ML_VECTOR_DB_DSN: dsnOf("first"),
    ML_REDIS_URL: redisUrl("first"),
    ML_CACHE_REDIS_URL: redisUrl("first"),
    ML_S3_ACCESS_KEY_ID: "first",
    ML_S3_SECRET_ACCESS_KEY: "first-secret",
    ML_JWT_SECRET_KEY: TEST_SECRET,
    ML_JWT_SECRET_KEY_PREVIOUS: "before ".repeat(6),
  });
  const named = Object.keys(secrets).map((name) => [`${name}_FILE`, join(folder.path, "secrets", name)]);
  const others = Object.entries(environment).filter(([name]) => !(name in secrets));
  platform = await startPlatform({
    // A name for the database keeps the run's own servers out; the file's content is what counts.
    environment: {
      ...Object.fromEntries([...others, ...named]),
      ML_VECTOR_DB_DSN: "",
      ML_S3_ENDPOINT: s3.endpoint,
      ML_ENV: "test",
    },
    headers: bearer(issueToken()),
  });
});

afterAll(async () => {
  await platform.remove();
  await s3.close();
  await Promise.all([postgres.remove(), redis.stop()]);
  await folder.remove();
});

test("the database's password changes, and connections that are made anew have it", async () => {
  await postgres.query("ALTER ROLE rotated PASSWORD 'second'");
  await replace({ ML_VECTOR_DB_DSN: dsnOf("second") });
  await postgres.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'rotated'");
  await eventually(
    () => platform.ask("{ models { totalCount } }"),
    ({ errors }) => errors === undefined,
  );
  // Each connection is another one's password to show: the pool, notifications and the process lock.
  await eventually(
    () =>
      postgres.query<{ count: string }>(
        "SELECT count(DISTINCT application_name) FROM pg_stat_activity WHERE usename = 'rotated'",
      ),
    ([row]) => Number(row!.count) >= 2,
  );
});

test("Redis's password changes, and jobs go on over connections that are made anew", async () => {
  await redis.ask("CONFIG", "SET", "requirepass", "second");
  await replace({ ML_REDIS_URL: redisUrl("second"), ML_CACHE_REDIS_URL: redisUrl("second") });
  await eventually(
    () => redis.askAs("second", "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"),
    (killed) => Number(killed) > 0,
  );
  await createCollection(platform, { name: "notes" });
  const { job } = await ingest(platform, "notes", [{ key: "a", text: "gas" }]);
  expect(await endedJob(platform, job.id)).toMatchObject({ state: "COMPLETED" });
});

test("the store's key changes from one request to the next", async () => {
  await uploadVersion(platform, "linear", linearModel());
  expect(s3.authorization()).toContain("Credential=first/");
  await replace({ ML_S3_ACCESS_KEY_ID: "second", ML_S3_SECRET_ACCESS_KEY: "second-secret" });
  await uploadVersion(platform, "linear", linearModel());
  expect(s3.authorization()).toContain("Credential=second/");
});

test("what is no secret is refused and told, and the one of before holds", async () => {
  await mount({ ML_JWT_SECRET_KEY: "short" });
  await eventually(
    async () => platform.log.find(({ event }) => event === "secrets.refused"),
    (line) => line !== undefined,
  );
  await platform.query("{ me { subject } }");
  expect(JSON.stringify(platform.log)).not.toMatch(/first-secret|second-secret|"short"|:second@/);
});

test("a secret is replaced while the old one still counts, and no request and no link fails", async () => {
  const read = `{ model(name: "linear") { version(number: 1) { artifact { downloadUrl } } } }`;
  const { model } = await platform.query<{ model: { version: { artifact: { downloadUrl: string } } } }>(read);
  const codes = new Set<string | undefined>();
  let replaced = false;
  const asking = (async () => {
    while (!replaced) codes.add((await platform.ask("{ me { subject } }")).errors?.[0]?.extensions.code);
  })();
  // Both names change in one step: no process sees one without the other.
  await replace({ ML_JWT_SECRET_KEY: OTHER_SECRET, ML_JWT_SECRET_KEY_PREVIOUS: TEST_SECRET });
  await platform.query("{ me { subject } }", {}, bearer(issueToken({}, { secret: OTHER_SECRET })));
  replaced = true;
  await asking;
  expect([...codes]).toEqual([undefined]);
  expect((await fetch(model.version.artifact.downloadUrl)).status).toBe(200);
});

test("tokens are checked with the secret of now, and with no other; sockets of before end", async () => {
  const raw = await RawSocket.greeted(platform, bearer(issueToken()));
  const kept = await RawSocket.greeted(platform, bearer(issueToken({}, { secret: OTHER_SECRET })));
  raw.subscribe("1");
  await replace({ ML_JWT_SECRET_KEY: OTHER_SECRET, ML_JWT_SECRET_KEY_PREVIOUS: "x".repeat(40) });
  await until(() => raw.closed !== undefined);
  expect(raw.closed).toBe(4403);
  kept.subscribe("1", "{ me { subject } }");
  await until(() => kept.has("next", "1"));
  await kept.end();
  const token = issueToken({}, { secret: OTHER_SECRET });
  await platform.query("{ me { subject } }", {}, bearer(token));
  expect(refusalOf(await platform.ask("{ me { subject } }"))).toBe("UNAUTHENTICATED");
});

test("the secret of before is over when its file is empty, or gone", async () => {
  const secret = "the secret of before these, and long enough too";
  const codeOf = async () =>
    (await platform.ask("{ me { subject } }", {}, bearer(issueToken({}, { secret })))).errors?.[0]?.extensions
      .code;
  await replace({ ML_JWT_SECRET_KEY_PREVIOUS: secret });
  expect(await codeOf()).toBeUndefined();
  await replace({ ML_JWT_SECRET_KEY_PREVIOUS: "" });
  expect(await codeOf()).toBe("UNAUTHENTICATED");
  await replace({ ML_JWT_SECRET_KEY_PREVIOUS: secret });
  expect(await codeOf()).toBeUndefined();
  delete secrets.ML_JWT_SECRET_KEY_PREVIOUS;
  await replace({});
  expect(await codeOf()).toBe("UNAUTHENTICATED");
});

test("a start names the file that is wrong, and never what is in it", async () => {
  const dataDir = join(folder.path, "refused");
  const file = join(folder.path, "secrets", "ML_JWT_SECRET_KEY");
  const both = await refusedStart(dataDir, { ML_JWT_SECRET_KEY: TEST_SECRET, ML_JWT_SECRET_KEY_FILE: file });
  expect(both.output).toContain("ML_JWT_SECRET_KEY_FILE: set it or ML_JWT_SECRET_KEY, not both");
  const absent = await refusedStart(dataDir, {
    ML_VECTOR_DB_DSN_FILE: join(folder.path, "absent"),
    ML_JWT_SECRET_KEY_PREVIOUS_FILE: join(folder.path, "absent"),
  });
  expect(absent.output).toContain("ML_VECTOR_DB_DSN_FILE: the file cannot be read (ENOENT)");
  expect(absent.output).not.toContain("ML_JWT_SECRET_KEY_PREVIOUS");
  await writeFile(join(folder.path, "no-dsn"), "hidden-from-all");
  const wrong = await refusedStart(dataDir, { ML_VECTOR_DB_DSN_FILE: join(folder.path, "no-dsn") });
  expect(wrong.output).toContain("ML_VECTOR_DB_DSN: allowed: a URL that starts with");
  expect(wrong.output).not.toContain("hidden-from-all");
});
