import type { Database } from "../../ports/database.js";
import type { AuditBuffer, AuditedOperation } from "./audit-buffer.js";
import { AuditEntryRepository } from "./audit-entry.repository.js";
import type { NewAuditEntry } from "./audit-entry.repository.js";
import { AuditScope, inAuditScope } from "./audit-scope.js";
import { describeMutation } from "./audited-mutations.rules.js";
import { outcomeOf } from "./outcome.rules.js";

/** Whose request it is. */
export interface AuditedRequest {
  actor: string;
  requestId: string;
}

/** Codes that tell of somebody who may not; each is told of at once, however many queries are. */
const REFUSALS = new Set(["UNAUTHENTICATED", "FORBIDDEN", "RATE_LIMITED"]);

/** What the doors tell the audit log. */
export class AuditTrail {
  constructor(
    private readonly database: Database,
    private readonly buffer: AuditBuffer,
    private readonly options: { queries: boolean; onEntry: () => void },
  ) {}

  /**
   * Runs a mutation. It succeeds only with an entry: in the transaction of what it has written, or else in one of
   * its own before it is answered. A failure is entered behind the answer.
   */
  async mutation<T>(
    { actor, requestId }: AuditedRequest,
    name: string,
    args: Readonly<Record<string, unknown>>,
    work: () => Promise<T>,
  ): Promise<T> {
    const scope = new AuditScope({ actor, requestId, action: name, ...describeMutation(name, args) });
    try {
      const answer = await inAuditScope(scope, work);
      scope.close();
      if (!scope.recorded) await this.record([scope.entry()]);
      return answer;
    } catch (error) {
      scope.close();
      this.buffer.refused(scope.entry(outcomeOf(error)));
      throw error;
    }
  }

  /**
   * Writes entries of what is about to be done.
   * @throws {UnavailableError} when they cannot be written; it must not be done then
   */
  async record(entries: readonly NewAuditEntry[]): Promise<void> {
    await this.database.transaction((tx) => new AuditEntryRepository(tx).append(entries));
    this.options.onEntry();
  }

  /** Somebody was turned away at a door. @param remote address of somebody unknown */
  refused(entry: Omit<NewAuditEntry, "detail">, remote?: string): void {
    this.buffer.refused({ ...entry, detail: remote === undefined ? {} : { remote } }, remote);
  }

  /** A query or subscription was answered. */
  operated(operation: AuditedOperation): void {
    if (REFUSALS.has(operation.outcome)) {
      const { operation: name, actor, action, target, outcome, requestId } = operation;
      const detail = name === null ? {} : { operation: name };
      this.buffer.refused({ actor, action, target, outcome, requestId, detail });
    } else if (this.options.queries) this.buffer.operated(operation);
  }
}
