import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { cp, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Database, Transaction } from "../../ports/database.js";
import type { DatabaseDumper, Dump, RunQuery } from "../../ports/database-dumper.js";

/**
 * Dumps the embedded engine. An open transaction owns its only backend, and nothing writes to the folder behind its back:
 * after a checkpoint a copy of the folder is the database at that instant. Others wait for the copy, not for its
 * packing, which a process of its own does.
 */
export class ClusterDumper implements DatabaseDumper {
  /** @param dataDir the folder that holds `cluster` */
  constructor(
    private readonly database: Database,
    private readonly dataDir: string,
  ) {}

  async dump<Seen>(file: string, look: (query: RunQuery) => Promise<Seen>): Promise<Dump<Seen>> {
    const copy = join(this.dataDir, `backup.draft-${randomUUID()}`);
    try {
      const taken = await this.database.transaction((tx) => this.copy(tx, copy, look));
      const program = join(import.meta.dirname, "pack-cluster.js");
      const { stdout } = await promisify(execFile)(process.execPath, [program, copy, file]);
      const { tables } = JSON.parse(stdout) as { tables: number };
      if (tables !== taken.tables) {
        throw new Error(`the copied database holds ${tables} tables, not ${taken.tables}`);
      }
      const { seen, heldMs, serverVersion } = taken;
      return { kind: "pglite", seen, heldMs, serverVersion };
    } finally {
      await rm(copy, { recursive: true, force: true });
    }
  }

  private async copy<Seen>(tx: Transaction, target: string, look: (query: RunQuery) => Promise<Seen>) {
    const began = performance.now();
    const seen = await look((sql) => tx.query(sql));
    const [state] = await tx.query<{ version: string; tables: number }[]>(
      `SELECT current_setting('server_version') AS version,
         (SELECT count(*)::int FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace) AS tables`,
    );
    await tx.query("CHECKPOINT");
    const source = join(this.dataDir, "cluster");
    await cp(source, target, { recursive: true, mode: constants.COPYFILE_FICLONE });
    const heldMs = Math.round(performance.now() - began);
    return { seen, heldMs, serverVersion: state!.version, tables: state!.tables };
  }
}
