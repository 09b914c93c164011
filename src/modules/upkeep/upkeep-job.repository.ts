import type { Transaction } from "../../ports/database.js";

/** Reads the jobs of upkeep among all jobs. */
export class UpkeepJobRepository {
  constructor(private readonly tx: Transaction) {}

  /** Serializes those who start a job of that kind, until their transactions end. */
  async lockKind(kind: string): Promise<void> {
    await this.tx.query("SELECT pg_advisory_xact_lock(hashtext('upkeep'), hashtext($1))", [kind]);
  }

  /** The job of that kind that has not ended. */
  async underWay(
    kind: string,
    besides?: string,
  ): Promise<{ id: string; payload: Record<string, unknown> } | undefined> {
    const rows = await this.tx.query<{ id: string; payload: Record<string, unknown> }[]>(
      `SELECT id, payload FROM jobs WHERE state IN ('WAITING', 'ACTIVE', 'DELAYED') AND kind = $1 AND id <> $2 LIMIT 1`,
      [kind, besides ?? "00000000-0000-0000-0000-000000000000"],
    );
    return rows[0];
  }

  /** When the last job of that kind that succeeded began. */
  async lastSuccess(kind: string): Promise<Date | undefined> {
    const rows = await this.tx.query<{ started_at: Date }[]>(
      "SELECT started_at FROM jobs WHERE kind = $1 AND state = 'COMPLETED' ORDER BY created_at DESC LIMIT 1",
      [kind],
    );
    return rows[0]?.started_at;
  }
}
