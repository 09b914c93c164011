import { AsyncLocalStorage } from "node:async_hooks";
import type { ServedRequest } from "../../ports/database.js";
import { TimeoutError } from "../../shared/errors.js";

/** A request, and what its statements need to know of each other. */
export interface RequestUnderWay<Source> {
  request: ServedRequest;
  /** Where its reads go, once that is known. */
  source?: Source;
  /** For each statement under way what ends it, and whether that has been asked for. */
  statements: Map<() => Promise<void>, Promise<void> | undefined>;
}

/** Which request a statement belongs to, so that it can be ended with it. */
export class RequestsUnderWay<Source = unknown> {
  private readonly current = new AsyncLocalStorage<RequestUnderWay<Source>>();
  private readonly known = new WeakMap<ServedRequest, RequestUnderWay<Source>>();

  run<T>(request: ServedRequest, work: () => T): T {
    const under: RequestUnderWay<Source> = { request, statements: new Map() };
    this.known.set(request, under);
    return this.current.run(under, work);
  }

  get(): RequestUnderWay<Source> | undefined {
    return this.current.getStore();
  }

  /** Ends the statements that the request has under way. */
  abandon(request: ServedRequest): void {
    const under = this.known.get(request);
    if (!under) return;
    for (const [cancel, asked] of under.statements) {
      under.statements.set(cancel, asked ?? cancel().catch(() => undefined));
    }
  }

  /**
   * To be called before a statement is sent.
   * @returns to be called when it has ended: it waits for whoever is ending it, who would hit the next one otherwise
   * @throws {TimeoutError} when nobody waits for the request any more
   */
  begin(sql: unknown, cancel: () => Promise<void>): () => Promise<void> | undefined {
    const under = this.current.getStore();
    if (!under || endsTransaction(sql)) return () => undefined;
    if (under.request.over) {
      throw new TimeoutError("nobody waits for the answer any more");
    }
    under.statements.set(cancel, undefined);
    return () => {
      const asked = under.statements.get(cancel);
      under.statements.delete(cancel);
      return asked;
    };
  }
}

/** They are not cancelled: where a standby must have a commit, it would happen without, and be reported as done. */
export function endsTransaction(sql: unknown): boolean {
  return /^\s*(COMMIT|ROLLBACK|RELEASE)\b/i.test(String(sql));
}
