import { ScopedStorage } from "../../shared/scoped-storage.js";
import type { NewAuditEntry } from "./audit-entry.repository.js";

/** A mutation under way: whatever it writes is told of by its entry. */
export class AuditScope {
  /** Whether a committed transaction carries the entry. */
  recorded = false;
  private facts: Record<string, unknown> = {};
  private closed = false;

  constructor(private readonly about: Omit<NewAuditEntry, "outcome">) {}

  /** Adds what only its course has shown; said again, as when a transaction runs again, the last word holds. */
  note(facts: Readonly<Record<string, unknown>>): void {
    Object.assign(this.facts, facts);
  }

  entry(outcome = "OK"): NewAuditEntry {
    return { ...this.about, outcome, detail: { ...this.about.detail, ...this.facts } };
  }

  /** What was begun by the mutation and outlives it, as jobs do, is no part of it. */
  close(): void {
    this.closed = true;
  }

  get open(): boolean {
    return !this.closed;
  }
}

const scopes = new ScopedStorage<AuditScope>();

export function inAuditScope<T>(scope: AuditScope, work: () => Promise<T>): Promise<T> {
  return scopes.run(scope, work);
}

/** For work that may be begun on a request's behalf and answers for itself. */
export function apartFromAudit<T>(work: () => Promise<T>): Promise<T> {
  return scopes.current === undefined ? work() : scopes.run(undefined, work);
}

export function currentAuditScope(): AuditScope | undefined {
  const scope = scopes.current;
  return scope?.open ? scope : undefined;
}

/**
 * Adds facts to the entry of the mutation under way, such as ids of what it made; without one, nothing happens.
 * @param facts ids, numbers and names of things; never what a client wrote freely
 */
export function noteAudited(facts: Readonly<Record<string, unknown>>): void {
  currentAuditScope()?.note(facts);
}
