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
  /** A request is what nobody has read. */
  action: "query" | "mutation" | "subscription" | "request";
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
const MOST_WAITING = 10_000;
const MOST_COUNTED = 10_000;
/** Addresses of unknown callers, and different queries of one caller within a flush, that have entries of their own. */
const MOST_STRANGERS = 1_000;
const MOST_QUERIES = 20;
/** What is told of together beyond that. */
const OTHERS = "(others)";
/** At the end of the process. */
const LAST_WRITES_MS = 5_000;

type Kind = "refusal" | "query";

/**
 * Entries that no answer waits for: of refusals, and of queries. Bounded: what does not fit is dropped and counted.
 * Repetitions become a count, so that no caller can flood the log, or push out what is told of others.
 */
export class AuditBuffer {
  private readonly refusals = new Map<string, CountedRefusal>();
  private readonly strangers = new Map<string, CountedRefusal>();
  private readonly operations = new Map<string, CountedOperation>();
  /** Different ones by actor, since the last flush. */
  private readonly variety = new Map<string, number>();
  private readonly waiting: Record<Kind, NewAuditEntry[]> = { refusal: [], query: [] };
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

  /**
   * The first of a principal, action and outcome in a minute is written at once, the others as one entry after it.
   * @param remote address of somebody unknown
   */
  refused(entry: AuditedRefusal, remote?: string): void {
    const counted = remote === undefined ? this.refusals : this.strangers;
    const keyOf = (from?: string) => JSON.stringify([entry.actor, entry.action, entry.outcome, from]);
    const crowded = remote !== undefined && counted.size >= MOST_STRANGERS && !counted.has(keyOf(remote));
    const key = keyOf(crowded ? OTHERS : remote);
    const known = counted.get(key);
    if (known) {
      known.repetitions++;
      return;
    }
    if (counted.size >= MOST_COUNTED) return auditEntriesDropped.inc({ what: "refusal" });
    const told = crowded ? { ...entry, detail: { ...entry.detail, remote: OTHERS } } : entry;
    counted.set(key, { entry: told, repetitions: 0, until: performance.now() + MINUTE_MS });
    this.wait([told], "refusal");
    void this.flush();
  }

  operated(operation: AuditedOperation): void {
    const known = this.operations.get(keyOf(operation));
    if (known) return count(known, operation);
    const { actor, durationMs } = operation;
    const variety = (this.variety.get(actor) ?? 0) + 1;
    if (variety > MOST_QUERIES && operation.operation !== OTHERS) {
      // Names and combinations of fields are the client's choice, and without end.
      return this.operated({ ...operation, target: null, operation: OTHERS });
    }
    if (this.operations.size >= MOST_COUNTED) return auditEntriesDropped.inc({ what: "query" });
    this.variety.set(actor, variety);
    this.operations.set(keyOf(operation), {
      ...{ first: operation, count: 1 },
      ...{ totalMs: durationMs, longestMs: durationMs },
    });
  }

  /** Writes what waits, unless the database is gone. */
  async close(): Promise<void> {
    clearInterval(this.timer);
    for (const refusal of this.countedRefusals()) refusal.until = 0;
    const deadline = performance.now() + LAST_WRITES_MS;
    do await this.flush();
    while (this.waits && performance.now() < deadline);
    if (!this.waits) return;
    const count = this.waiting.refusal.length + this.waiting.query.length;
    this.logger.error(
      { event: "audit.lost", count },
      "the last refusals and queries are not in the audit log",
    );
  }

  private flush(): Promise<void> {
    this.collectRefusals(this.refusals);
    this.collectRefusals(this.strangers);
    this.collectOperations();
    if (!this.waits) return this.flushing ?? Promise.resolve();
    this.flushing ??= this.write().finally(() => (this.flushing = undefined));
    return this.flushing;
  }

  private get waits(): boolean {
    return this.waiting.refusal.length + this.waiting.query.length > 0;
  }

  private countedRefusals(): CountedRefusal[] {
    return [...this.refusals.values(), ...this.strangers.values()];
  }

  private collectRefusals(counted: Map<string, CountedRefusal>): void {
    const now = performance.now();
    for (const [key, { entry, repetitions, until }] of counted) {
      if (until > now) continue;
      counted.delete(key);
      if (repetitions === 0) continue;
      this.wait([{ ...entry, detail: { ...entry.detail, count: repetitions } }], "refusal");
    }
  }

  private collectOperations(): void {
    if (this.operations.size === 0) return;
    const entries = [...this.operations.values()].map(toEntry);
    this.operations.clear();
    this.variety.clear();
    this.wait(entries, "query");
  }

  private wait(entries: readonly NewAuditEntry[], what: Kind): void {
    const room = MOST_WAITING - this.waiting[what].length;
    this.waiting[what].push(...entries.slice(0, room));
    if (entries.length > room) auditEntriesDropped.inc({ what }, entries.length - room);
  }

  private async write(): Promise<void> {
    for (const what of ["refusal", "query"] as const) {
      while (this.waiting[what].length > 0) {
        if (!(await this.writeSome(what))) return;
      }
    }
  }

  /** @returns whether it could be written */
  private async writeSome(what: Kind): Promise<boolean> {
    const batch = this.waiting[what].slice(0, BATCH);
    try {
      await new AuditEntryRepository(this.database.dataSource.manager).append(batch);
    } catch (err) {
      this.logger.error(
        { event: "audit.failed", err, count: batch.length },
        "audit entries are not written yet",
      );
      return false;
    }
    this.waiting[what].splice(0, batch.length);
    this.onEntry();
    return true;
  }
}

function keyOf({ actor, action, target, operation, outcome }: AuditedOperation): string {
  return JSON.stringify([actor, action, target, operation, outcome]);
}

function count(known: CountedOperation, { durationMs }: AuditedOperation): void {
  known.count++;
  known.totalMs += durationMs;
  if (durationMs > known.longestMs) known.longestMs = durationMs;
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
