import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { chmod, chown, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { freePort } from "./free-port.js";
import { findPostgres } from "./postgres-install.js";
import { runProgram } from "./run-program.js";
import { startServerProcess } from "./server-process.js";
import type { ServerProcess } from "./server-process.js";
import { until } from "./until.js";

export interface PostgresOptions {
  /** Writes reach the disk before they are acknowledged, as in production; off is faster. */
  durable?: boolean;
  /** Further settings, e.g. `{ archive_mode: "on" }`. */
  settings?: Record<string, string>;
}

export interface PostgresServer {
  port: number;
  /** Folder of the server's programs: pg_dump, psql, ... */
  bin: string;
  dataDir: string;
  /** How `pg` reaches a database; `postgres` when none is named. */
  connection(
    database?: string,
  ): pg.ClientConfig & { host: string; port: number; user: string; password: string };
  /** `postgresql://...` of a database. */
  dsn(database?: string): string;
  /** Makes a database, empty or as a copy of another that nobody is connected to. @returns its DSN */
  createDatabase(name: string, template?: string): Promise<string>;
  dropDatabase(name: string): Promise<void>;
  /** Rows of one statement on a connection of its own. */
  query<T extends object>(sql: string, values?: unknown[], database?: string): Promise<T[]>;
  /** Ends it in order (fast) or as a crash that leaves recovery to the next start (immediate). */
  stop(mode?: "fast" | "immediate"): Promise<void>;
  /** Kill -9 of all its processes. */
  kill(): Promise<void>;
  /** SIGSTOP or SIGCONT of the main process, which accepts connections. */
  signal(signal: NodeJS.Signals): void;
  /** Starts again on the same data and port, after `stop` or `kill`. */
  restart(settings?: Record<string, string>): Promise<void>;
  /** A server that follows this one. `synchronous`: a commit is acknowledged when both have it. */
  startStandby(options?: { synchronous?: boolean }): Promise<PostgresStandby>;
  /** Stops it and removes its data. */
  remove(): Promise<void>;
}

export interface PostgresStandby extends PostgresServer {
  /** Makes it a server that takes writes; the other one must be gone. */
  promote(): Promise<void>;
}

const USER = "postgres";

/** Settings of all servers: small, on loopback alone, in UTC. */
const SETTINGS = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  jit: "off",
  timezone: "UTC",
  log_timezone: "UTC",
  shared_buffers: "64MB",
  max_connections: "300",
  max_wal_senders: "10",
  wal_level: "replica",
  // What a killed client leaves is noticed by TCP at once on loopback; a test server needs no more.
  logging_collector: "off",
};
const NOT_DURABLE = { fsync: "off", synchronous_commit: "off", full_page_writes: "off" };

/** Servers refuse to run as root: the owner of their files and processes then, or nothing. */
export function serverUser(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const users = readFileSync("/etc/passwd", "utf8").split("\n");
  for (const name of [USER, "nobody"]) {
    const [, , uid, gid] = users.find((line) => line.startsWith(`${name}:`))?.split(":") ?? [];
    if (uid && gid) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new Error("no user for PostgreSQL to run as: neither postgres nor nobody is in /etc/passwd");
}

/** A folder of the user that servers run as. */
export async function dataFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "254carbon-postgres-"));
  await chmod(folder, 0o700);
  const { uid, gid } = serverUser();
  if (uid !== undefined) await chown(folder, uid, gid!);
  return folder;
}

/** A PostgreSQL with pgvector of our own, on a free loopback port; ends with this process. */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const bin = await findPostgres();
  const folder = await dataFolder();
  const dataDir = join(folder, "data");
  const password = randomBytes(18).toString("base64url");
  const passwordFile = join(folder, "password");
  await writeFile(passwordFile, password, { mode: 0o600 });
  const owner = serverUser();
  if (owner.uid !== undefined) await chown(passwordFile, owner.uid, owner.gid!);
  const access = ["--auth=scram-sha-256", `--username=${USER}`, `--pwfile=${passwordFile}`];
  const encoding = ["--locale=C.UTF-8", "--encoding=UTF8", "--data-checksums", "--no-sync"];
  await runProgram(join(bin, "initdb"), ["-D", dataDir, ...access, ...encoding], {
    ...owner,
    cwd: folder,
    env: serverEnvironment(folder),
  });
  const settings = { ...SETTINGS, ...(options.durable ? {} : NOT_DURABLE), ...options.settings };
  return open({ bin, folder, dataDir, password, settings });
}

/** A durable server on a data folder that is there already. */
export function openPostgres(installation: Omit<Installation, "settings">): Promise<PostgresServer> {
  return open({ ...installation, settings: SETTINGS });
}

interface Installation {
  bin: string;
  /** Holds the data folder; removed whole. */
  folder: string;
  dataDir: string;
  password: string;
  settings: Record<string, string>;
}

export function serverEnvironment(home: string): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, HOME: home, LC_ALL: "C.UTF-8", TZ: "UTC" };
}

async function open(installation: Installation): Promise<PostgresServer> {
  const { bin, folder, dataDir, password } = installation;
  const port = await freePort();
  const connection = (database = "postgres") => ({ host: "127.0.0.1", port, user: USER, password, database });
  const query = async <T extends object>(sql: string, values: unknown[] = [], database?: string) => {
    const client = new pg.Client(connection(database));
    await client.connect();
    try {
      return (await client.query<T>(sql, values)).rows;
    } finally {
      await client.end();
    }
  };
  const launch = (settings: Record<string, string>) => {
    const flags = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
    return startServerProcess(join(bin, "postgres"), ["-D", dataDir, "-p", String(port), ...flags], {
      ...serverUser(),
      ...{ env: serverEnvironment(folder), cwd: folder, folder, lastSignal: "SIGQUIT" as const },
      answers: () => query("SELECT 1"),
    });
  };
  let server: ServerProcess = await launch(installation.settings);
  let standbys = 0;
  const self: PostgresServer = {
    ...{ port, bin, dataDir, connection, query },
    dsn: (database = "postgres") => `postgresql://${USER}:${password}@127.0.0.1:${port}/${database}`,
    createDatabase: async (name, template = "template1") => {
      // Copied through the buffers, without the two checkpoints that the other way takes.
      await query(`CREATE DATABASE "${name}" TEMPLATE "${template}" STRATEGY wal_log`);
      return self.dsn(name);
    },
    dropDatabase: async (name) => void (await query(`DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`)),
    stop: (mode = "fast") => server.end(mode === "fast" ? "SIGINT" : "SIGQUIT"),
    kill: () => server.kill(),
    signal: (signal) => server.signal(signal),
    restart: async (settings = {}) => {
      server = await launch({ ...installation.settings, ...settings });
    },
    startStandby: (options = {}) => startStandby(self, installation, `standby${++standbys}`, options),
    remove: async () => {
      server.signal("SIGCONT");
      await self.stop("immediate");
      await rm(folder, { recursive: true, force: true });
    },
  };
  return self;
}

async function startStandby(
  primary: PostgresServer,
  { bin, password, settings }: Installation,
  name: string,
  { synchronous = false }: { synchronous?: boolean },
): Promise<PostgresStandby> {
  const folder = await dataFolder();
  const dataDir = join(folder, "data");
  const source = `host=127.0.0.1 port=${primary.port} user=${USER} password=${password} application_name=${name}`;
  const how = ["--checkpoint=fast", "--wal-method=stream", "--write-recovery-conf", "--no-sync"];
  await runProgram(join(bin, "pg_basebackup"), ["-d", source, "-D", dataDir, ...how], {
    ...serverUser(),
    cwd: folder,
    env: serverEnvironment(folder),
  });
  const standby = await open({ bin, folder, dataDir, password, settings });
  const replication = () =>
    primary.query<{ state: string; sync_state: string }>(
      "SELECT state, sync_state FROM pg_stat_replication WHERE application_name = $1",
      [name],
    );
  await until(async () => (await replication())[0]?.state === "streaming", 30_000);
  if (synchronous) {
    await primary.query(`ALTER SYSTEM SET synchronous_standby_names = '${name}'`);
    await primary.query("SELECT pg_reload_conf()");
    await until(async () => (await replication())[0]?.sync_state === "sync", 30_000);
  }
  return { ...standby, promote: async () => void (await standby.query("SELECT pg_promote(true, 60)")) };
}
