import pg from "pg";
import { GraphListener } from "../support/graph-listener.js";
import { metric } from "../support/metrics.js";
import { startPgbouncer } from "../support/pgbouncer-server.js";
import type { PgbouncerServer } from "../support/pgbouncer-server.js";
import { eventually, refusedStart, startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";
import { removeServicePlace, serviceEnvironment } from "../support/service-tier.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import type { TemporaryFolder } from "../support/temporary-folder.js";
import { askUntilGone, TableLock } from "../support/table-lock.js";
import { until } from "../support/until.js";
import { upkeep } from "../support/upkeep.js";

/** Sessions of the server that the pooler shares out. */
const SESSIONS = 4;
/** No test comes to it. */
const PATIENCE_MS = 60_000;
const LIMIT_MS = 2_000;
const LOCK_TIMEOUT_MS = 1_000;
const CURVES = "{ curves { totalCount } }";

let folder: TemporaryFolder;
let dsn: URL;
let pooler: PgbouncerServer;
let platform: Platform;
let outside: pg.Client;
let lock: TableLock;

beforeAll(async () => {
  folder = await temporaryFolder();
  const environment = await serviceEnvironment(folder.path, { migrated: true });
  dsn = new URL(environment.ML_VECTOR_DB_DSN!);
  pooler = await startPgbouncer({
    server: `host=${dsn.hostname} port=${dsn.port}`,
    users: { [dsn.username]: decodeURIComponent(dsn.password) },
    settings: { default_pool_size: String(SESSIONS) },
  });
  platform = await startPlatform({
    dataDir: folder.path,
    environment: {
      ...environment,
      ML_VECTOR_DB_POOLER: pooler.address,
      ML_VECTOR_DB_POOL: "20",
      ML_OPERATION_TIMEOUT_MS: String(PATIENCE_MS),
      ML_SILENCE_TIMEOUT_MS: String(PATIENCE_MS + 1),
      ML_LOCK_TIMEOUT_MS: String(PATIENCE_MS),
    },
  });
  outside = new pg.Client({ connectionString: dsn.href });
  await outside.connect();
  lock = new TableLock(outside, "curves");
});

afterAll(async () => {
  await outside.end();
  await platform.stop("SIGKILL");
  await pooler.remove();
  await removeServicePlace(folder.path);
  await folder.remove();
});

async function clientsOfThePooler(): Promise<Record<"active" | "waiting" | "serving" | "sessions", number>> {
  const pools = await pooler.show("SHOW POOLS");
  const ours = pools.find(({ database }) => database === dsn.pathname.slice(1)) ?? {};
  const count = (...names: string[]) => names.reduce((sum, name) => sum + Number(ours[name] ?? 0), 0);
  return {
    active: count("cl_active"),
    waiting: count("cl_waiting"),
    serving: count("sv_active"),
    sessions: count("sv_active", "sv_idle", "sv_used", "sv_active_cancel", "sv_being_canceled"),
  };
}

test("many clients share few sessions of the server, and each gets its answer", async () => {
  const most = await lock.during(async () => {
    const asked = Array.from({ length: 12 }, () => platform.ask(CURVES));
    const seen = await eventually(clientsOfThePooler, (now) => now.active + now.waiting >= 12);
    await lock.release();
    for (const { errors } of await Promise.all(asked)) expect(errors).toBeUndefined();
    return seen;
  });
  expect(most.sessions).toBeLessThanOrEqual(SESSIONS);
  expect(most.waiting).toBeGreaterThan(0);
});

test("statements whose callers hang up end, those that are under way and those in the pooler's queue", async () => {
  await lock.during(async () => {
    const gone = new AbortController();
    const asked = Array.from({ length: SESSIONS + 4 }, () => askUntilGone(platform, CURVES, gone.signal));
    await until(async () => (await lock.waiting()) === SESSIONS, PATIENCE_MS / 2);
    gone.abort();
    await Promise.all(asked);
    await until(async () => (await lock.waiting()) === 0, PATIENCE_MS / 2);
    await until(async () => (await clientsOfThePooler()).waiting === 0, PATIENCE_MS / 2);
    // The sessions are free for others, while the lock still stands.
    expect((await platform.ask("{ models { totalCount } }")).errors).toBeUndefined();
  });
  expect((await platform.ask(CURVES)).errors).toBeUndefined();
});

test("what needs a session of its own works beside it: notifications, VACUUM, dumps", async () => {
  const listener = new GraphListener<{ job: { kind: string; state: string } }>(
    platform,
    "subscription { jobEvents { job { kind state } } }",
  );
  await until(async () => (await metric(platform, "graphql_subscriptions_open")) === 1);
  await upkeep(platform, "startVacuum");
  await upkeep(platform, "startBackup");
  const ended = (events: { job: { kind: string; state: string } }[]) =>
    new Set(events.filter(({ job }) => job.state === "COMPLETED").map(({ job }) => job.kind));
  await listener.until((events) => ended(events).size === 2);
  await listener.close();
});

test("a pooler that dies is UNAVAILABLE, and is used again when it is back", async () => {
  await pooler.kill();
  expect((await platform.ask(CURVES)).errors).toMatchObject([{ extensions: { code: "UNAVAILABLE" } }]);
  await pooler.restart();
  await eventually(
    () => platform.ask(CURVES),
    ({ errors }) => errors === undefined,
  );
});

test("time-outs of sessions hold, though a pooler passes none on", async () => {
  // The pooler's sessions, which are older than what the next process wants, end with it.
  await platform.stop();
  await pooler.kill();
  await pooler.restart();
  const environment = await serviceEnvironment(folder.path);
  platform = await startPlatform({
    dataDir: folder.path,
    environment: {
      ...environment,
      ML_VECTOR_DB_POOLER: pooler.address,
      ML_LOCK_TIMEOUT_MS: String(LOCK_TIMEOUT_MS),
      ML_OPERATION_TIMEOUT_MS: String(LIMIT_MS),
    },
  });
  await lock.during(async () => {
    const { errors } = await platform.ask(CURVES);
    expect(errors).toMatchObject([
      { message: expect.stringContaining("lock timeout"), extensions: { code: "TIMEOUT" } },
    ]);
  });
  const { rows } = await outside.query<{ setconfig: string[] }>(
    `SELECT setconfig FROM pg_db_role_setting JOIN pg_database AS d ON d.oid = setdatabase
     WHERE d.datname = current_database()`,
  );
  expect(rows[0]!.setconfig.sort()).toEqual([
    `idle_in_transaction_session_timeout=${LOCK_TIMEOUT_MS}`,
    `lock_timeout=${LOCK_TIMEOUT_MS}`,
    "statement_timeout=30000",
  ]);
});

test("a mutation that was given up in the pooler's queue does nothing when its turn comes", async () => {
  const login = { host: "127.0.0.1", port: pooler.port, user: dsn.username, password: dsn.password };
  const busy = Array.from(
    { length: SESSIONS },
    () => new pg.Client({ ...login, database: dsn.pathname.slice(1) }),
  );
  for (const client of busy) {
    await client.connect();
    // A transaction keeps its session; that of the time-outs is another's.
    await client.query("BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0");
  }
  const { errors } = await platform.ask(
    `mutation { defineCurve(input: { name: "late", kind: FORWARD, unit: "percent", tenors: ["P1Y","P5Y"] }) {
       curve { name } } }`,
  );
  expect(errors).toMatchObject([{ extensions: { code: "TIMEOUT" } }]);
  await Promise.all(busy.map((client) => client.end()));
  await until(async () => {
    const { waiting: queued, serving } = await clientsOfThePooler();
    return queued + serving === 0;
  });
  const { curve } = await platform.query<{ curve: unknown }>(`{ curve(name: "late") { name } }`);
  expect(curve).toBeNull();
});

describe("a start is refused", () => {
  const startWith = async (address: string) =>
    refusedStart(folder.path, {
      ...(await serviceEnvironment(folder.path)),
      ML_VECTOR_DB_POOLER: address,
      ML_START_TIMEOUT_MS: "1000",
    });

  test("where the pooler leads to another database", async () => {
    const elsewhere = await startPgbouncer({
      server: `host=${dsn.hostname} port=${dsn.port} dbname=postgres`,
      users: { [dsn.username]: decodeURIComponent(dsn.password) },
    });
    const { code, output } = await startWith(elsewhere.address);
    await elsewhere.remove();
    expect(code).toBe(1);
    expect(output).toMatch(
      /ML_VECTOR_DB_POOLER: leads to another database than ML_VECTOR_DB_DSN: postgres of \d+, not t/,
    );
  });

  test("where nobody answers", async () => {
    const { code, output } = await startWith("127.0.0.1:1");
    expect(code).toBe(1);
    expect(output).toContain("the server of ML_VECTOR_DB_POOLER does not answer: connect ECONNREFUSED");
  });

  test("where the DSN says what would be lost", async () => {
    const environment = await serviceEnvironment(folder.path);
    const { code, output } = await refusedStart(folder.path, {
      ...environment,
      ML_VECTOR_DB_DSN: `${environment.ML_VECTOR_DB_DSN}?options=-csearch_path%3Dpublic`,
      ML_VECTOR_DB_POOLER: pooler.address,
    });
    expect(code).toBe(1);
    expect(output).toContain("ML_VECTOR_DB_DSN: must not have options beside ML_VECTOR_DB_POOLER");
  });

  test.each(["pooler", "pooler:0", "pooler:99999", "http://pooler:5432", "pooler:5432/x", "a b:5432"])(
    "for %p, which is no host and port",
    async (address) => {
      const { output } = await startWith(address);
      expect(output).toContain("ML_VECTOR_DB_POOLER: allowed: a host and a port, such as pooler:5432");
    },
  );
});
