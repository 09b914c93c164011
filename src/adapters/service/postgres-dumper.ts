import { rm } from "node:fs/promises";
import type { Database, Transaction } from "../../ports/database.js";
import type { DatabaseDumper, Dump, RunQuery } from "../../ports/database-dumper.js";
import { assertRecentProgram, runPostgresProgram } from "./postgres-programs.js";
import type { PostgresPrograms } from "./postgres-programs.js";

/** The queue's own tables, where it lives in the database: jobs' rows are the truth, and a sweep queues them again. */
const LEFT_OUT = "bullmq";

/** Dumps a PostgreSQL server by pg_dump; nobody waits for it. */
export class PostgresDumper implements DatabaseDumper {
  constructor(
    private readonly database: Database,
    private readonly programs: PostgresPrograms,
  ) {}

  async dump<Seen>(file: string, look: (query: RunQuery) => Promise<Seen>): Promise<Dump<Seen>> {
    const [server] = await this.database.dataSource.query<{ version: string }[]>(
      "SELECT split_part(current_setting('server_version'), ' ', 1) AS version",
    );
    const serverVersion = server!.version;
    await assertRecentProgram(this.programs, "pg_dump", serverVersion);
    try {
      const seen = await this.database.unhurried((session) =>
        session.transaction("REPEATABLE READ", (tx) => this.dumpSnapshot(tx, file, look)),
      );
      // Reads the table of contents, which stands at the end of the file's header with the place of every table's rows.
      await runPostgresProgram(this.programs, "pg_restore", ["--list", file]);
      return { kind: "pg_dump", serverVersion, heldMs: 0, seen };
    } catch (error) {
      await rm(file, { force: true });
      throw error;
    }
  }

  /** pg_dump joins our snapshot, so that what is counted is what is dumped. */
  private async dumpSnapshot<Seen>(
    tx: Transaction,
    file: string,
    look: (query: RunQuery) => Promise<Seen>,
  ): Promise<Seen> {
    await tx.query("SET LOCAL idle_in_transaction_session_timeout = 0");
    const [exported] = await tx.query<{ snapshot: string }[]>("SELECT pg_export_snapshot() AS snapshot");
    const dumped = runPostgresProgram(this.programs, "pg_dump", [
      ...["--format=custom", "--no-password", "--no-owner", "--no-privileges"],
      ...[`--exclude-schema=${LEFT_OUT}`, `--snapshot=${exported!.snapshot}`, `--file=${file}`],
    ]);
    // Whichever fails first, the other must have ended before the snapshot goes.
    const [, seen] = await Promise.allSettled([dumped, look((sql) => tx.query(sql))]);
    await dumped;
    if (seen.status === "rejected") throw seen.reason;
    return seen.value;
  }
}
