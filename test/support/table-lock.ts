import type pg from "pg";
import type { Platform } from "./platform.js";

/** A lock from outside on a table of the platform's, which its statements wait for. */
export class TableLock {
  constructor(
    private readonly outside: pg.Client,
    private readonly table: string,
  ) {}

  /** Statements that wait for a lock of the table, as the server sees them. */
  async waiting(): Promise<number> {
    const { rows } = await this.outside.query<{ count: number }>(
      "SELECT count(*)::int AS count FROM pg_locks WHERE NOT granted AND relation = $1::regclass",
      [this.table],
    );
    return rows[0]!.count;
  }

  /** Nobody else so much as reads the table meanwhile. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    await this.outside.query(`BEGIN; LOCK TABLE ${this.table} IN ACCESS EXCLUSIVE MODE`);
    try {
      return await work();
    } finally {
      await this.release();
    }
  }

  async release(): Promise<void> {
    await this.outside.query("ROLLBACK");
  }
}

/** Asks, and hangs up when the signal says so: whatever has come until then is of no interest. */
export async function askUntilGone(
  { url }: Pick<Platform, "url">,
  query: string,
  signal: AbortSignal,
): Promise<void> {
  const headers = { "content-type": "application/json" };
  const request = { method: "POST", headers, body: JSON.stringify({ query }), signal };
  await fetch(`${url}/graphql`, request).catch(() => undefined);
}
