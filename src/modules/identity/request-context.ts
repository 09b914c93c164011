import DataLoader from "dataloader";
import type { DocumentNode } from "graphql";
import type { ServedRequest } from "../../ports/database.js";
import type { OpenSpan } from "../../telemetry/tracing.js";
import type { Caller } from "./caller.js";

/** Where subscriptions get their events from. */
export interface EventSource {
  /**
   * @param request.subject only events about these
   * @param request.after cursor of the last event seen
   * @throws {InvalidInputError} for a malformed cursor
   */
  subscribe(request: {
    topic: "training" | "promotion" | "job";
    subject: Record<string, string | undefined>;
    after?: string | null;
  }): Promise<AsyncGenerator<unknown, void>>;
}

/**
 * Whether the caller still waits for an answer. The signal is made when it is first asked for: most requests end
 * before anyone asks, and making and following one was 4 % of a `predict` in a CPU profile.
 */
export class CallerPresence {
  private controller?: AbortController;
  private left = false;
  private reason?: Error;
  private onLeave?: () => void;
  private readonly branches = new Set<CallerPresence>();

  constructor(private readonly parent?: CallerPresence) {}

  get signal(): AbortSignal {
    this.controller ??= new AbortController();
    if (this.left) this.controller.abort(this.reason);
    return this.controller.signal;
  }

  /** @param reason what the signal gives */
  leave(reason?: Error): void {
    if (this.left) return;
    this.left = true;
    this.reason = reason;
    this.controller?.abort(reason);
    this.onLeave?.();
    for (const branch of this.branches) branch.leave(reason);
  }

  /** For one of several operations of the same caller: it ends with the caller, or by itself. */
  branch(): CallerPresence {
    const branch = new CallerPresence(this);
    this.branches.add(branch);
    if (this.left) branch.leave(this.reason);
    return branch;
  }

  /** The operation has been answered. */
  end(): void {
    this.parent?.branches.delete(this);
  }

  /** What else is to be done when they leave. */
  whenLeft(onLeave: () => void): void {
    this.onLeave = onLeave;
    if (this.left) onLeave();
  }
}

/** What a resolver knows about the request it serves. Apollo works on a shallow copy of it. */
export class RequestContext {
  /** What the gateway learns of the operation and reports at the end; shared by the copies. */
  readonly operation: {
    type?: string;
    span?: OpenSpan;
    served?: ServedRequest;
    /** Its document, once it may run. */
    document?: DocumentNode;
    /** By which its cost was counted. */
    variables?: Record<string, unknown>;
    /** Codes of the errors in its answer. */
    failures?: string[];
    /** Its audit entries have been seen to. */
    audited?: boolean;
  } = {};

  private readonly loaders = new Map<string, DataLoader<never, unknown>>();

  constructor(
    readonly caller: Caller,
    readonly requestId: string,
    /** Where clients reach us, without a slash at the end. */
    readonly baseUrl: string,
    readonly presence: CallerPresence,
    readonly feed: EventSource,
  ) {}

  /** Aborted when the caller goes away. */
  get signal(): AbortSignal {
    return this.presence.signal;
  }

  /** The request's own DataLoader of that name, made at its first use. */
  loader<K, V>(name: string, batch: (keys: readonly K[]) => Promise<(V | Error)[]>): DataLoader<K, V> {
    let loader = this.loaders.get(name) as DataLoader<K, V> | undefined;
    if (!loader) {
      loader = new DataLoader<K, V>(batch);
      this.loaders.set(name, loader as unknown as DataLoader<never, unknown>);
    }
    return loader;
  }
}
