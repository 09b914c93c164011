import type { Database, ServedRequest, Transaction } from "../../ports/database.js";
import { AuditEntryRepository } from "./audit-entry.repository.js";
import { currentAuditScope } from "./audit-scope.js";

/**
 * The database, which lets no mutation commit without its audit entry: whatever transaction writes within one has
 * the entry as its last statement.
 */
export class AuditedDatabase implements Database {
  constructor(
    private readonly inner: Database,
    /** An entry has been committed. */
    private readonly onEntry: () => void,
  ) {}

  get dataSource(): Database["dataSource"] {
    return this.inner.dataSource;
  }

  get vectorSearch(): Database["vectorSearch"] {
    return this.inner.vectorSearch;
  }

  async transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    const scope = currentAuditScope();
    if (!scope) return this.inner.transaction(work);
    let recorded = false;
    const outcome = await this.inner.transaction(async (tx) => {
      const result = await work(tx);
      recorded = await new AuditEntryRepository(tx).appendIfWritten(scope.entry());
      return result;
    });
    if (recorded) {
      scope.recorded = true;
      this.onEntry();
    }
    return outcome;
  }

  read<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.inner.read(work);
  }

  serve<T>(request: ServedRequest, work: () => T): T {
    return this.inner.serve(request, work);
  }

  abandon(request: ServedRequest): void {
    this.inner.abandon(request);
  }

  acknowledge(caller: string): Promise<void> {
    return this.inner.acknowledge(caller);
  }

  unhurried<T>(work: (session: Transaction) => Promise<T>): Promise<T> {
    return this.inner.unhurried(work);
  }

  asOwner<T>(work: (session: Transaction) => Promise<T>): Promise<T> {
    return this.inner.asOwner(work);
  }

  listen(channel: string, wake: (payload: string) => void): Promise<() => Promise<void>> {
    return this.inner.listen(channel, wake);
  }

  check(): Promise<void> {
    return this.inner.check();
  }

  maintain(): Promise<void> {
    return this.inner.maintain();
  }

  close(): Promise<void> {
    return this.inner.close();
  }
}
