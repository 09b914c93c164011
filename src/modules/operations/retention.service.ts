import type { Database } from "../../ports/database.js";
import { OutboxRepository } from "./outbox.repository.js";

const DAY_MS = 86_400_000;
const EVENT_DAYS = 7;
const IDEMPOTENCY_DAYS = 30;

/** Forgets what nobody can still ask for: events beyond replay, idempotency keys beyond repetition. */
export class RetentionService {
  constructor(private readonly database: Database) {}

  async trim(): Promise<void> {
    const before = (days: number) => new Date(Date.now() - days * DAY_MS);
    const { manager } = this.database.dataSource;
    await new OutboxRepository(manager).removeBefore(before(EVENT_DAYS));
    await manager.query("DELETE FROM idempotency_keys WHERE created_at < $1", [before(IDEMPOTENCY_DAYS)]);
  }
}
