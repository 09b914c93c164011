import { appendFile, chown, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { dataFolder, openPostgres, serverEnvironment, serverUser } from "./postgres-server.js";
import type { PostgresServer } from "./postgres-server.js";
import { runProgram } from "./run-program.js";
import { startServerProcess } from "./server-process.js";
import { until } from "./until.js";

export interface WalArchive {
  /** A server of its own on the base backup and all of the log since, once the first one is gone. */
  restore(): Promise<PostgresServer>;
  /** Stops it and removes its files. */
  remove(): Promise<void>;
}

const NAME = "archive";
/** What has been received last may be a segment that is not full. */
const RESTORE_COMMAND = (folder: string) => `cp "${folder}/%f" "%p" || cp "${folder}/%f.partial" "%p"`;

/** A base backup and the log that follows it, kept elsewhere: a commit is acknowledged when its log has arrived. */
export async function startWalArchive(primary: PostgresServer): Promise<WalArchive> {
  const folder = await dataFolder();
  const [base, log] = [join(folder, "base"), join(folder, "log")];
  const { user, password, port } = primary.connection();
  const owner = serverUser();
  const options = { ...owner, cwd: folder, env: serverEnvironment(folder) };
  await mkdir(log);
  if (owner.uid !== undefined) await chown(log, owner.uid, owner.gid!);
  const source = `host=127.0.0.1 port=${port} user=${user} password=${password} application_name=${NAME}`;
  await primary.query("SELECT pg_create_physical_replication_slot($1, true)", [NAME]);
  const receiver = await startServerProcess(
    join(primary.bin, "pg_receivewal"),
    ["-d", source, "-D", log, "--slot", NAME, "--synchronous", "--status-interval", "1"],
    {
      ...options,
      answers: () => until(async () => (await stateOf(primary)) !== undefined),
    },
  );
  await runProgram(
    join(primary.bin, "pg_basebackup"),
    ["-d", source, "-D", base, "--checkpoint=fast", "--wal-method=none", "--no-sync"],
    options,
  );
  await primary.query(`ALTER SYSTEM SET synchronous_standby_names = '${NAME}'`);
  await primary.query("SELECT pg_reload_conf()");
  await until(async () => (await stateOf(primary)) === "sync", 30_000);
  return {
    restore: async () => {
      await receiver.end("SIGTERM");
      const home = await dataFolder();
      const dataDir = join(home, "data");
      // With the owners and permissions that the server insists on.
      await runProgram("cp", ["-a", base, dataDir]);
      await appendFile(
        join(dataDir, "postgresql.auto.conf"),
        `restore_command = '${RESTORE_COMMAND(log)}'\nsynchronous_standby_names = ''\n`,
      );
      await writeFile(join(dataDir, "recovery.signal"), "");
      const restored = await openPostgres({ bin: primary.bin, folder: home, dataDir, password });
      await until(async () => {
        const [state] = await restored.query<{ recovering: boolean }>(
          "SELECT pg_is_in_recovery() AS recovering",
        );
        return state?.recovering === false;
      }, 600_000);
      return restored;
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
