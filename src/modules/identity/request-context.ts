import DataLoader from "dataloader";
import type { Caller } from "./authenticator.js";

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

/** What a resolver knows about the request it serves. */
export class RequestContext {
  /** query, mutation or subscription, once that is known. */
  operationType?: string;

  private readonly loaders = new Map<string, DataLoader<never, unknown>>();

  constructor(
    readonly caller: Caller,
    readonly requestId: string,
    /** Where clients reach us, without a slash at the end. */
    readonly baseUrl: string,
    /** Aborted when the caller goes away. */
    readonly signal: AbortSignal,
    readonly feed: EventSource,
  ) {}

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
