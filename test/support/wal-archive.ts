import { chown, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { dataFolder, openPostgres, serverEnvironment, serverUser } from "./postgres-server.js";
import type { PostgresServer } from "./postgres-server.js";
import { runProgram } from "./run-program.js";
import { startServerProcess } from "./server-process.js";
import { until } from "./until.js";

export interface WalArchive {
  /** One more base backup. @returns where in the log it ends */
  backUp(): Promise<string>;
  /** A server of its own on the newest base backup and all of the log since, once the first one is gone. */
  restore(): Promise<RestoredServer>;
  /** Stops it and removes its files. */
  remove(): Promise<void>;
}

export interface RestoredServer {
  server: PostgresServer;
  /** Of the base backup. */
  copiedBytes: number;
  /** Until it was verified and copied. */
  copySeconds: number;
  /** From then until the log was replayed and it took writes. */
  replaySeconds: number;
}

/** As `receive-wal.sh` calls itself. */
const NAME = "wal_archive";
const SCRIPTS = fileURLToPath(new URL("../../../deploy/postgres/", import.meta.url));

/**
 * A base backup and the log that follows it, kept elsewhere by the scripts of `deploy/postgres`: a commit is acknowledged
 * when its log has arrived.
 */
export async function startWalArchive(primary: PostgresServer): Promise<WalArchive> {
  const folder = await dataFolder();
  const [base, log] = [join(folder, "base"), join(folder, "log")];
  const { user, password, port } = primary.connection();
  const owner = serverUser();
  for (const path of [base, log]) {
    await mkdir(path);
    if (owner.uid !== undefined) await chown(path, owner.uid, owner.gid!);
  }
  const env = {
    ...serverEnvironment(folder),
    PATH: `${primary.bin}:${process.env.PATH}`,
    ...{ PGHOST: "127.0.0.1", PGPORT: String(port), PGUSER: user, PGPASSWORD: password },
    ...{ BASE_BACKUPS: base, WAL_ARCHIVE: log },
  };
  const options = { ...owner, cwd: folder, env };
  const run = (script: string, ...args: string[]) => runProgram(join(SCRIPTS, script), args, options);
  const receiver = await startServerProcess(join(SCRIPTS, "receive-wal.sh"), [], {
    ...options,
    answers: () => until(async () => (await stateOf(primary)) !== undefined),
  });
  const backUp = async () => {
    await run("base-backup.sh");
    const [now] = await primary.query<{ lsn: string }>("SELECT pg_current_wal_lsn() AS lsn");
    return now!.lsn;
  };
  await backUp();
  await primary.query(`ALTER SYSTEM SET synchronous_standby_names = '${NAME}'`);
  await primary.query("SELECT pg_reload_conf()");
  await until(async () => (await stateOf(primary)) === "sync", 30_000);
  return {
    backUp,
    restore: async () => {
      await receiver.end("SIGTERM");
      const home = await dataFolder();
      const dataDir = join(home, "data");
      const began = performance.now();
      await run("recover.sh", dataDir);
      const copySeconds = (performance.now() - began) / 1000;
      const copiedBytes = Number.parseInt(await runProgram("du", ["-sb", dataDir]), 10);
      const copied = performance.now();
      const server = await openPostgres({ bin: primary.bin, folder: home, dataDir, password });
      await until(async () => {
        const [state] = await server.query<{ recovering: boolean }>(
          "SELECT pg_is_in_recovery() AS recovering",
        );
        return state?.recovering === false;
      }, 600_000);
      return { server, copiedBytes, copySeconds, replaySeconds: (performance.now() - copied) / 1000 };
    },
    remove: async () => {
      await receiver.end("SIGKILL");
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** How the primary sees the receiver: `async`, `sync`; undefined when it is not there. */
async function stateOf(primary: PostgresServer): Promise<string | undefined> {
  const [found] = await primary.query<{ sync_state: string }>(
    "SELECT sync_state FROM pg_stat_replication WHERE application_name = $1 AND state = 'streaming'",
    [NAME],
  );
  return found?.sync_state;
}
