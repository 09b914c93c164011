import type { Database } from "../../ports/database.js";

const DAY_MS = 86_400_000;
const IDEMPOTENCY_DAYS = 30;

/** Forgets idempotency keys beyond repetition; rows of large tables go with their partitions. */
export class RetentionService {
  constructor(private readonly database: Database) {}

  async trim(): Promise<void> {
    const before = new Date(Date.now() - IDEMPOTENCY_DAYS * DAY_MS);
    const { manager } = this.database.dataSource;
    await manager.query("DELETE FROM idempotency_keys WHERE created_at < $1", [before]);
  }
}
