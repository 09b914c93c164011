import pg from "pg";
import { openPostgresDatabase } from "../../src/adapters/service/postgres-database.js";
import type { PostgresDatabase } from "../../src/adapters/service/postgres-database.js";
import { startPostgres } from "../support/postgres-server.js";
import type { PostgresServer } from "../support/postgres-server.js";
import { until } from "../support/until.js";

let server: PostgresServer;
let database: PostgresDatabase;
beforeAll(async () => {
  server = await startPostgres({ durable: true });
  const settings = { statementTimeoutMs: 1_000, lockTimeoutMs: 300, poolSize: 4 };
  database = await openPostgresDatabase({ dsn: server.dsn(), settings, entities: [], migrations: [] });
  await database.dataSource.query("CREATE TABLE account (id int PRIMARY KEY, balance int NOT NULL)");
  await database.dataSource.query("INSERT INTO account VALUES (1, 100), (2, 100)");
});
afterAll(async () => {
  await database.close();
  await server.remove();
});

const select = <T extends object>(sql: string) => database.dataSource.query<T[]>(sql);

test("a statement beyond its time is a TIMEOUT, and so is a lock", async () => {
  await expect(select("SELECT pg_sleep(60)")).rejects.toMatchObject({ code: "TIMEOUT" });
  const holder = new pg.Client(server.connection());
  await holder.connect();
  await holder.query("BEGIN; SELECT FROM account WHERE id = 1 FOR UPDATE");
  const waiting = database.transaction((tx) => tx.query("UPDATE account SET balance = 0 WHERE id = 1"));
  await expect(waiting).rejects.toMatchObject({ code: "TIMEOUT" });
  await holder.end();
});

test("what may take long has no time-outs, and leaves none of its settings behind", async () => {
  const show =
    "SELECT current_setting('statement_timeout') AS statement, current_setting('lock_timeout') AS lock";
  const unhurried = await database.unhurried(async (session) => {
    await session.query("SET work_mem = '9MB'");
    return session.query<object[]>(show);
  });
  expect(unhurried).toEqual([{ statement: "0", lock: "0" }]);
  const all = Array.from({ length: 8 }, () =>
    select<object>(`${show}, current_setting('work_mem') AS memory`),
  );
  for (const rows of await Promise.all(all)) {
    expect(rows).toEqual([{ statement: "1s", lock: "300ms", memory: "4MB" }]);
  }
});

test("calls itself by name", async () => {
  const [row] = await select(
    "SELECT application_name AS name FROM pg_stat_activity WHERE pid = pg_backend_pid()",
  );
  expect(row).toEqual({ name: "254carbon" });
});

test("the victim of a deadlock runs again", async () => {
  let arrived = 0;
  let runs = 0;
  const transfer = (from: number, to: number) =>
    database.transaction(async (tx) => {
      runs += 1;
      // Longer than the server waits before it looks for deadlocks.
      await tx.query("SET LOCAL lock_timeout = '20s'; SET LOCAL statement_timeout = '20s'");
      await tx.query("UPDATE account SET balance = balance - 10 WHERE id = $1", [from]);
      arrived += 1;
      await until(() => arrived >= 2);
      await tx.query("UPDATE account SET balance = balance + 10 WHERE id = $1", [to]);
    });
  await Promise.all([transfer(1, 2), transfer(2, 1)]);
  expect(runs).toBe(3);
  expect(await select("SELECT balance FROM account ORDER BY id")).toEqual([
    { balance: 100 },
    { balance: 100 },
  ]);
});

test("a crash of the server is UNAVAILABLE to who is affected, and over when it is back", async () => {
  const woken: string[] = [];
  await database.listen("news", (payload) => woken.push(payload));
  const under = database.transaction(async (tx) => {
    await tx.query("UPDATE account SET balance = 0");
    await server.stop("immediate");
    await tx.query("SELECT 1");
  });
  await expect(under).rejects.toMatchObject({ code: "UNAVAILABLE" });
  await expect(select("SELECT 1")).rejects.toMatchObject({ code: "UNAVAILABLE" });
  await expect(database.check()).rejects.toMatchObject({ code: "UNAVAILABLE" });
  await server.restart();
  expect(await select("SELECT balance FROM account ORDER BY id")).toEqual([
    { balance: 100 },
    { balance: 100 },
  ]);
  await until(() => woken.includes(""));
  await server.query("SELECT pg_notify('news', 'back')");
  await until(() => woken.includes("back"));
});

test("a server that falls silent is given up, and taken back when it speaks again", async () => {
  const [{ pid }] = (await select<{ pid: number }>("SELECT pg_backend_pid() AS pid")) as [{ pid: number }];
  process.kill(pid, "SIGSTOP");
  const silent = Promise.allSettled(Array.from({ length: 4 }, () => select("SELECT 1")));
  try {
    const outcomes = await silent;
    const failures = outcomes.filter(({ status }) => status === "rejected");
    expect(failures).toHaveLength(1);
    expect(failures[0]).toMatchObject({ reason: { code: "UNAVAILABLE" } });
  } finally {
    process.kill(pid, "SIGCONT");
  }
  await Promise.all(Array.from({ length: 8 }, () => select("SELECT 1")));
});

test("a commit that waits for a standby in vain is UNAVAILABLE, and keeps no session of the server", async () => {
  const waitingForStandby = () =>
    server.query("SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND usename IS NOT NULL");
  await server.query("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
  await server.query("SELECT pg_reload_conf()");
  try {
    const request = {};
    const written = database.serve(request, () =>
      database.transaction((tx) => tx.query("UPDATE account SET balance = 50 WHERE id = 1")),
    );
    const outcome = written.catch((error: unknown) => error);
    await until(async () => (await waitingForStandby()).length === 1);
    // Were it cancelled with its caller, it would be reported as done, without a standby.
    database.abandon(request);
    expect(await outcome).toMatchObject({ code: "UNAVAILABLE" });
    await until(async () => (await waitingForStandby()).length === 0);
  } finally {
    await server.query("ALTER SYSTEM RESET synchronous_standby_names");
    await server.query("SELECT pg_reload_conf()");
  }
  expect((await select("SELECT 1")).length).toBe(1);
});
