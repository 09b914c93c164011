import type { Database } from "../../ports/database.js";

/** Returns the room of deleted rows, and renews what the planner knows. */
export class VacuumService {
  constructor(private readonly database: Database) {}

  async run(): Promise<Record<string, unknown>> {
    const began = performance.now();
    const bytesBefore = await this.size();
    await this.database.maintain();
    const bytesAfter = await this.size();
    return { bytesBefore, bytesAfter, seconds: Math.round(performance.now() - began) / 1000 };
  }

  private async size(): Promise<number> {
    const [row] = await this.database.dataSource.query<{ bytes: string }[]>(
      "SELECT pg_database_size(current_database()) AS bytes",
    );
    return Number(row!.bytes);
  }
}
