import { chown, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { serverUser, startPostgres } from "../support/postgres-server.js";
import type { PostgresServer } from "../support/postgres-server.js";
import { runProgram } from "../support/run-program.js";
import { startServerProcess } from "../support/server-process.js";
import type { ServerProcess } from "../support/server-process.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import type { TemporaryFolder } from "../support/temporary-folder.js";
import { until } from "../support/until.js";

const SCRIPTS = fileURLToPath(new URL("../../../deploy/postgres/", import.meta.url));

let archive: TemporaryFolder;
let server: PostgresServer;
let environment: Record<string, string>;
let receiver: ServerProcess | undefined;

beforeEach(async () => {
  archive = await temporaryFolder();
  const { uid, gid } = serverUser();
  for (const name of ["wal", "base"]) await mkdir(join(archive.path, name));
  for (const name of ["", "wal", "base"]) {
    if (uid !== undefined) await chown(join(archive.path, name), uid, gid!);
  }
});

afterEach(async () => {
  await receiver?.kill();
  receiver = undefined;
  await server.remove();
  await archive.remove();
});

async function begin(settings: Record<string, string> = {}): Promise<void> {
  server = await startPostgres({ durable: true, settings });
  environment = {
    PATH: `${server.bin}:${process.env.PATH}`,
    ...{ HOME: archive.path, LC_ALL: "C", PGHOST: "127.0.0.1", PGPORT: String(server.port) },
    ...{ PGUSER: "postgres", PGPASSWORD: server.connection().password },
    ...{ WAL_ARCHIVE: join(archive.path, "wal"), BASE_BACKUPS: join(archive.path, "base") },
  };
  await server.query(
    "CREATE TABLE acknowledged (id integer PRIMARY KEY, at timestamptz DEFAULT clock_timestamp())",
  );
}

function script(name: string, ...args: string[]): Promise<string> {
  return runProgram(join(SCRIPTS, name), args, { env: environment, cwd: archive.path, ...serverUser() });
}

async function receiveLog(): Promise<void> {
  receiver = await startServerProcess(join(SCRIPTS, "receive-wal.sh"), [], {
    ...{ env: environment, cwd: archive.path, ...serverUser() },
    answers: async () => {
      const [row] = await server.query<{ n: number }>(
        "SELECT count(*)::int AS n FROM pg_stat_replication WHERE application_name = 'wal_archive' AND state = 'streaming'",
      );
      if (row!.n === 0) throw new Error("not streaming yet");
    },
  });
}

/** Inserts rows one by one over four connections until the server dies. @returns the ids that were acknowledged */
function load(): { acknowledged: Set<number>; ended: Promise<unknown> } {
  const acknowledged = new Set<number>();
  let last = 0;
  const writer = async (): Promise<void> => {
    const client = new pg.Client(server.connection());
    client.on("error", () => undefined);
    await client.connect();
    for (;;) {
      const id = ++last;
      await client.query("INSERT INTO acknowledged (id) VALUES ($1)", [id]);
      acknowledged.add(id);
    }
  };
  return { acknowledged, ended: Promise.allSettled(Array.from({ length: 4 }, writer)) };
}

/** The machine dies with its disk. */
async function loseServer(): Promise<void> {
  await server.kill();
  await rm(server.dataDir, { recursive: true, force: true });
}

/** @returns seconds from the loss to the first answer */
async function recover(moment?: string): Promise<number> {
  const began = performance.now();
  await script("recover.sh", server.dataDir, ...(moment === undefined ? [] : [moment]));
  await server.restart({ synchronous_standby_names: "" });
  await until(async () => {
    const [row] = await server.query<{ recovering: boolean }>("SELECT pg_is_in_recovery() AS recovering");
    return !row!.recovering;
  }, 60_000);
  return (performance.now() - began) / 1000;
}

async function present(): Promise<Set<number>> {
  const rows = await server.query<{ id: number }>("SELECT id FROM acknowledged");
  return new Set(rows.map(({ id }) => id));
}

const lacking = (acknowledged: ReadonlySet<number>, found: ReadonlySet<number>) =>
  [...acknowledged].filter((id) => !found.has(id));

test("with a synchronous archive not one acknowledged row is lost with the server and its disk", async () => {
  await begin();
  await receiveLog();
  await server.query("ALTER SYSTEM SET synchronous_standby_names = 'wal_archive'");
  await server.query("SELECT pg_reload_conf()");
  await script("base-backup.sh");
  const { acknowledged, ended } = load();
  await until(() => acknowledged.size > 500, 60_000);
  await loseServer();
  await ended;
  const seconds = await recover();
  const found = await present();
  expect(lacking(acknowledged, found)).toEqual([]);
  expect(seconds).toBeLessThan(3600);
  process.stderr.write(
    `recovery with a synchronous archive: ${acknowledged.size} acknowledged, 0 lost, ${seconds.toFixed(1)} s\n`,
  );
  // It is a server like any other again.
  await server.query("INSERT INTO acknowledged (id) VALUES (-1)");
}, 180_000);

test("it recovers to a moment, and overwrites nothing", async () => {
  await begin();
  await receiveLog();
  await script("base-backup.sh");
  await server.query("INSERT INTO acknowledged (id) SELECT generate_series(1, 100)");
  // The copies are named by whole seconds: a moment of the next one is after it for certain.
  await until(async () => {
    const [row] = await server.query<{ later: boolean }>(
      "SELECT clock_timestamp() > max(at) + interval '1.5 s' AS later FROM acknowledged",
    );
    return row!.later;
  });
  const [moment] = await server.query<{ now: string }>("SELECT clock_timestamp()::text AS now");
  await server.query("DELETE FROM acknowledged");
  const [written] = await server.query<{ lsn: string }>("SELECT pg_current_wal_lsn() AS lsn");
  await until(async () => {
    const [row] = await server.query<{ there: boolean }>(
      "SELECT flush_lsn >= $1::pg_lsn AS there FROM pg_stat_replication",
      [written!.lsn],
    );
    return row!.there;
  }, 30_000);
  await server.kill();
  await expect(script("recover.sh", server.dataDir)).rejects.toThrow("is not empty: nothing is overwritten");
  await rm(server.dataDir, { recursive: true });
  await recover(moment!.now);
  expect((await present()).size).toBe(100);
}, 180_000);

test("with archive_command alone, what a full segment has not carried away is lost, and only that", async () => {
  const command = `WAL_ARCHIVE="${join(archive.path, "wal")}" sh "${join(SCRIPTS, "archive-wal.sh")}" "%p" %f`;
  await begin({ archive_mode: "on", archive_timeout: "60s", archive_command: command });
  await script("base-backup.sh");
  const { acknowledged, ended } = load();
  await until(() => acknowledged.size > 200, 60_000);
  const carried = new Set(acknowledged);
  const [segment] = await server.query<{ name: string }>("SELECT pg_walfile_name(pg_switch_wal()) AS name");
  await until(async () => {
    const [row] = await server.query<{ done: boolean }>(
      "SELECT coalesce(last_archived_wal >= $1, false) AS done FROM pg_stat_archiver",
      [segment!.name],
    );
    return row!.done;
  }, 60_000);
  await until(() => acknowledged.size > carried.size + 100, 60_000);
  await loseServer();
  await ended;
  const seconds = await recover();
  const found = await present();
  const lost = lacking(acknowledged, found);
  process.stderr.write(
    `recovery with archive_command alone: ${acknowledged.size} acknowledged, ${lost.length} lost, ${seconds.toFixed(1)} s\n`,
  );
  expect(lost.filter((id) => carried.has(id))).toEqual([]);
  expect(lost.length).toBeGreaterThan(0);
}, 180_000);
