import { migrations } from "../../migrations/index.js";
import { openPostgresDatabase } from "../../src/adapters/service/postgres-database.js";
import type { PostgresDatabase } from "../../src/adapters/service/postgres-database.js";
import { entities } from "../../src/app.js";
import { startPostgres } from "../support/postgres-server.js";
import type { PostgresServer, PostgresStandby } from "../support/postgres-server.js";
import { until } from "../support/until.js";

const MAX_LAG_MS = 3_000;

let primary: PostgresServer;
let standby: PostgresStandby;
/** Two processes of the platform. */
let here: PostgresDatabase;
let elsewhere: PostgresDatabase;

beforeAll(async () => {
  primary = await startPostgres();
  await primary.query("CREATE TABLE note (text text)");
  standby = await primary.startStandby();
  const settings = { replicaDsns: [standby.dsn()], replicaMaxLagMs: MAX_LAG_MS };
  const open = () => openPostgresDatabase({ dsn: primary.dsn(), settings, entities, migrations });
  here = await open();
  elsewhere = await open();
  await resumed();
});
afterAll(async () => {
  await here.close();
  await elsewhere.close();
  await standby.remove();
  await primary.remove();
});

interface Seen {
  follows: boolean;
  notes: string[];
}

/** What a query of the caller sees, and whether a standby answered. */
function seenBy(caller: string | undefined, database = here): Promise<Seen> {
  return database.serve({ readsAs: caller }, () =>
    database.read(async (tx) => {
      const [row] = await tx.query<Seen[]>(
        `SELECT pg_is_in_recovery() AS follows, coalesce(array_agg(text ORDER BY text), '{}') AS notes FROM note`,
      );
      return row!;
    }),
  );
}

async function write(caller: string, text: string): Promise<void> {
  await here.transaction((tx) => tx.query("INSERT INTO note VALUES ($1)", [text]));
  await here.acknowledge(caller);
}

/** The standby follows again, and both processes know. */
async function resumed(): Promise<void> {
  await until(
    async () => (await seenBy("nobody")).follows && (await seenBy("nobody", elsewhere)).follows,
    30_000,
  );
}

test("queries of callers read from the standby; all else reads from the primary", async () => {
  await until(async () => (await seenBy("reader")).follows);
  expect(await seenBy(undefined)).toMatchObject({ follows: false });
  const outside = await here.read((tx) => tx.query<Seen[]>("SELECT pg_is_in_recovery() AS follows"));
  expect(outside).toEqual([{ follows: false }]);
});

test("a caller reads its own writes in every process, while others read what the standby has", async () => {
  await resumed();
  await standby.query("SELECT pg_wal_replay_pause()");
  try {
    await write("writer", "one");
    for (const database of [here, elsewhere]) {
      expect(await seenBy("writer", database)).toEqual({ follows: false, notes: ["one"] });
      expect(await seenBy("reader", database)).toEqual({ follows: true, notes: [] });
    }
  } finally {
    await standby.query("SELECT pg_wal_replay_resume()");
  }
  await until(async () => (await seenBy("writer", elsewhere)).follows);
  expect(await seenBy("writer", elsewhere)).toEqual({ follows: true, notes: ["one"] });
});

test("one request reads in one place, or in a newer one", async () => {
  await resumed();
  await here.serve({ readsAs: "reader" }, async () => {
    const follows = () =>
      here.read(async (tx) => (await tx.query<Seen[]>("SELECT pg_is_in_recovery() AS follows"))[0]!.follows);
    expect(await follows()).toBe(true);
    await standby.stop("immediate");
    expect(await follows()).toBe(false);
    await standby.restart();
    await resumed();
    expect(await follows()).toBe(false);
  });
});

test("a standby that lags too much is left out, and taken back when it has caught up", async () => {
  await resumed();
  await standby.query("SELECT pg_wal_replay_pause()");
  const paused = performance.now();
  try {
    await primary.query("INSERT INTO note VALUES ('two')");
    expect(await seenBy("reader")).toMatchObject({ follows: true });
    await until(async () => !(await seenBy("reader")).follows);
    expect(performance.now() - paused).toBeGreaterThan(MAX_LAG_MS / 2);
    expect((await seenBy("reader")).notes).toContain("two");
  } finally {
    await standby.query("SELECT pg_wal_replay_resume()");
  }
  await resumed();
  expect((await seenBy("reader")).notes).toContain("two");
});

test("an idle primary makes no standby lag", async () => {
  await resumed();
  const end = performance.now() + 2 * MAX_LAG_MS;
  while (performance.now() < end) {
    expect(await seenBy("reader")).toMatchObject({ follows: true });
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
});

test("no query fails when the standby dies, and it is taken back when it returns", async () => {
  await resumed();
  let asking = true;
  let answered = 0;
  const asked = Array.from({ length: 4 }, async () => {
    for (; asking; answered++) await seenBy("reader");
  });
  await standby.kill();
  const atDeath = answered;
  await until(() => answered > atDeath + 50);
  await standby.restart();
  await resumed();
  asking = false;
  await Promise.all(asked);
});

test("a query in the way of what the standby replays is answered by the primary", async () => {
  await resumed();
  const answer = here.serve({ readsAs: "reader" }, () =>
    here.read(async (tx) => {
      const [row] = await tx.query<{ follows: boolean }[]>(
        "SELECT pg_is_in_recovery() AS follows, CASE WHEN pg_is_in_recovery() THEN pg_sleep(60)::text END FROM note LIMIT 1",
      );
      return row!.follows;
    }),
  );
  const sleeping = () =>
    standby.query(
      "SELECT FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND wait_event = 'PgSleep'",
    );
  await until(async () => (await sleeping()).length > 0);
  await standby.query("ALTER SYSTEM SET max_standby_streaming_delay = 0");
  await standby.query("SELECT pg_reload_conf()");
  await primary.query("ALTER TABLE note ADD COLUMN more text");
  expect(await answer).toBe(false);
  await resumed();
});

test("the platform does not wait for a replica at its start", async () => {
  await standby.stop();
  const settings = { replicaDsns: [standby.dsn()] };
  const database = await openPostgresDatabase({ dsn: primary.dsn(), settings, entities, migrations });
  expect(await seenBy("reader", database)).toMatchObject({ follows: false });
  await standby.restart();
  await until(async () => (await seenBy("reader", database)).follows, 30_000);
  await database.close();
});
