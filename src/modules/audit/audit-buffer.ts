import type { Database } from "../../ports/database.js";
import type { Logger } from "../../telemetry/logger.js";
import { auditEntriesDropped } from "../../telemetry/metrics.js";
import { AuditEntryRepository } from "./audit-entry.repository.js";
import type { NewAuditEntry } from "./audit-entry.repository.js";

/** Something that was refused or failed. */
export type AuditedRefusal = NewAuditEntry;

/** An operation that was answered; of mutations only those that were refused before they ran. */
export interface AuditedOperation {
  actor: string;
  action: "query" | "mutation" | "subscription";
  /** Root fields. */
  target: string | null;
  /** Name that the client gave it. */
  operation: string | null;
  outcome: string;
  requestId: string;
  durationMs: number;
}

interface CountedRefusal {
  entry: AuditedRefusal;
  /** Beyond the first, which has an entry of its own. */
  repetitions: number;
  until: number;
}

interface CountedOperation {
  first: AuditedOperation;
  count: number;
  totalMs: number;
  longestMs: number;
}

const FLUSH_MS = 1_000;
const MINUTE_MS = 60_000;
/** Entries that one statement takes. */
const BATCH = 500;
/** Of each kind that wait in memory. */
const MOST_WAITING = 20_000;
const MOST_COUNTED = 10_000;
/** At the end of the process. */
const LAST_WRITES_MS = 5_000;

/**
 * Entries that no answer waits for: of refusals, and of queries. Bounded: what does not fit is dropped and counted.
 * Repetitions become a count, so that no caller can flood the log.
 */
export class AuditBuffer {
  private readonly refusals = new Map<string, CountedRefusal>();
  private readonly operations = new Map<string, CountedOperation>();
  private waiting: NewAuditEntry[] = [];
  private flushing: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly database: Database,
    private readonly logger: Logger,
    private readonly onEntry: () => void,
  ) {}

  start(): void {
    this.timer = setInterval(() => void this.flush(), FLUSH_MS).unref();
  }

  /** The first of a principal, action and outcome in a minute is written at once, the others as one entry after it. */
  refused(entry: AuditedRefusal, remote?: string): void {
    const key = JSON.stringify([entry.actor, entry.action, entry.outcome, remote]);
    const known = this.refusals.get(key);
    if (known) {
      known.repetitions++;
      return;
    }
    if (this.refusals.size >= MOST_COUNTED) return auditEntriesDropped.inc({ what: "refusal" });
    this.refusals.set(key, { entry, repetitions: 0, until: performance.now() + MINUTE_MS });
    this.wait([entry], "refusal");
    void this.flush();
  }

  operated(operation: AuditedOperation): void {
    const key = `${operation.actor}\n${operation.action}\n${operation.target}\n${operation.operation}\n${operation.outcome}`;
    const known = this.operations.get(key);
    if (known) {
      known.count++;
      known.totalMs += operation.durationMs;
      if (operation.durationMs > known.longestMs) known.longestMs = operation.durationMs;
      return;
    }
    if (this.operations.size >= MOST_COUNTED) return auditEntriesDropped.inc({ what: "query" });
    const { durationMs } = operation;
    this.operations.set(key, { first: operation, count: 1, totalMs: durationMs, longestMs: durationMs });
  }

  /** Writes what waits, unless the database is gone. */
  async close(): Promise<void> {
    clearInterval(this.timer);
    for (const refusal of this.refusals.values()) refusal.until = 0;
    const deadline = performance.now() + LAST_WRITES_MS;
    do await this.flush();
    while (this.waiting.length > 0 && performance.now() < deadline);
    if (this.waiting.length === 0) return;
    this.logger.error(
      { event: "audit.lost", count: this.waiting.length },
      "the last refusals and queries are not in the audit log",
    );
  }

  private flush(): Promise<void> {
    this.collectRefusals();
    this.collectOperations();
    if (this.waiting.length === 0) return this.flushing ?? Promise.resolve();
    this.flushing ??= this.write().finally(() => (this.flushing = undefined));
    return this.flushing;
  }

  private collectRefusals(): void {
    const now = performance.now();
    for (const [key, { entry, repetitions, until }] of this.refusals) {
      if (until > now) continue;
      this.refusals.delete(key);
      if (repetitions === 0) continue;
      this.wait([{ ...entry, detail: { ...entry.detail, count: repetitions } }], "refusal");
    }
  }

  private collectOperations(): void {
    if (this.operations.size === 0) return;
    const entries = [...this.operations.values()].map(toEntry);
    this.operations.clear();
    this.wait(entries, "query");
  }

  private wait(entries: readonly NewAuditEntry[], what: "refusal" | "query"): void {
    const room = MOST_WAITING - this.waiting.length;
    this.waiting.push(...entries.slice(0, room));
    if (entries.length > room) auditEntriesDropped.inc({ what }, entries.length - room);
  }

  private async write(): Promise<void> {
    while (this.waiting.length > 0) {
      const batch = this.waiting.slice(0, BATCH);
      try {
        await new AuditEntryRepository(this.database.dataSource.manager).append(batch);
      } catch (err) {
        this.logger.error(
          { event: "audit.failed", err, count: batch.length },
          "audit entries are not written yet",
        );
        return;
      }
      this.waiting = this.waiting.slice(batch.length);
      this.onEntry();
    }
  }
}

function toEntry({ first, count, totalMs, longestMs }: CountedOperation): NewAuditEntry {
  const { actor, action, target, outcome, requestId, operation } = first;
  const times = { totalMs: rounded(totalMs), longestMs: rounded(longestMs) };
  const detail = { ...(operation === null ? {} : { operation }), count, ...times };
  return { actor, action, target, outcome, requestId, detail };
}

function rounded(ms: number): number {
  return Math.round(ms * 10) / 10;
}
