import pg from "pg";

/** Ends statements of other sessions, over one connection for all that are to end at a time. */
export class StatementCanceller {
  private waiting: number[] = [];
  private working?: Promise<void>;

  constructor(private readonly connection: pg.ClientConfig) {}

  /** @param backend process id of the session. Resolves when the server has been told, or cannot be. */
  async cancel(backend: number): Promise<void> {
    this.waiting.push(backend);
    this.working ??= this.work().finally(() => (this.working = undefined));
    await this.working;
  }

  private async work(): Promise<void> {
    const client = new pg.Client(this.connection);
    client.on("error", () => undefined);
    try {
      await client.connect();
      while (this.waiting.length > 0) {
        const backends = this.waiting;
        this.waiting = [];
        await client.query("SELECT pg_cancel_backend(pid) FROM unnest($1::int[]) AS pid", [backends]);
      }
    } catch {
      // The statements' own time-out ends them then.
      this.waiting = [];
    } finally {
      await client.end().catch(() => undefined);
    }
  }
}
