import { setTimeout as delay } from "node:timers/promises";
import { createClient } from "graphql-ws";
import { WebSocket } from "ws";
import { toEventCursor } from "../../src/modules/operations/index.js";
import type { GraphClient } from "./graph-client.js";

const RETRY_MS = 200;

/** Before the first event of all. */
const BEGINNING = toEventCursor({ transactionId: 0n, id: 0n });

interface PromotionEvent {
  cursor: string;
  transition: { id: string };
}

/** Follows a model's promotions through all that happens, from the gateway that answers, after the last event it has. */
export class EventReader {
  /** Transitions in the order in which they came. */
  readonly seen: string[] = [];
  private cursor = BEGINNING;
  private readonly stopped = new AbortController();
  private readonly loop: Promise<void>;

  constructor(
    private readonly gateways: () => readonly GraphClient[],
    private readonly model: string,
    /** Which gateway it begins with. */
    private turn: number,
    private readonly credentials: Record<string, string>,
  ) {
    this.loop = this.follow();
  }

  /** Waits for as many events, or until it is of no use to wait. */
  async until(count: number, timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (this.seen.length < count && performance.now() < deadline) await delay(20);
  }

  async stop(): Promise<void> {
    this.stopped.abort();
    await this.loop;
  }

  private async follow(): Promise<void> {
    while (!this.stopped.signal.aborted) {
      const gateways = this.gateways();
      await this.read(gateways[this.turn++ % gateways.length]!).catch(() => undefined);
      if (!this.stopped.signal.aborted) await delay(RETRY_MS);
    }
  }

  /** Ends with the connection. */
  private async read(gateway: GraphClient): Promise<void> {
    const client = createClient({
      url: `${gateway.url.replace("http", "ws")}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: this.credentials,
      retryAttempts: 0,
      keepAlive: 2_000,
    });
    const stop = () => void client.dispose();
    this.stopped.signal.addEventListener("abort", stop);
    try {
      const events = client.iterate<{ promotionEvents: PromotionEvent }>({
        query: `subscription Promotions($model: String, $after: String) {
          promotionEvents(model: $model, after: $after) { cursor transition { id } }
        }`,
        variables: { model: this.model, after: this.cursor },
      });
      for await (const { data } of events) {
        this.cursor = data!.promotionEvents.cursor;
        this.seen.push(data!.promotionEvents.transition.id);
      }
    } finally {
      this.stopped.signal.removeEventListener("abort", stop);
      await client.dispose();
    }
  }
}
