import { setTimeout as delay } from "node:timers/promises";
import { until } from "../support/until.js";
import type { GraphClient } from "./graph-client.js";

const POLL_MS = 50;
const NOTICED_WITHIN_MS = 30_000;

/** Which gateways a load balancer would send requests to: those that said so when last asked. */
export class ReadyGateways {
  private readonly ready: Set<GraphClient>;
  private readonly stopped = new AbortController();
  private readonly polling: Promise<void>[];

  constructor(private readonly gateways: readonly GraphClient[]) {
    this.ready = new Set(gateways);
    // Each by itself: one that is slow to answer must not hide that another is not ready.
    this.polling = gateways.map((gateway) => this.poll(gateway));
  }

  readonly list = (): readonly GraphClient[] => [...this.ready];

  /** Waits until all of them are. */
  async all(): Promise<void> {
    await until(() => this.ready.size === this.gateways.length, NOTICED_WITHIN_MS);
  }

  async stop(): Promise<void> {
    this.stopped.abort();
    await Promise.all(this.polling);
  }

  private async poll(gateway: GraphClient): Promise<void> {
    while (!this.stopped.signal.aborted) {
      const answer = await fetch(`${gateway.url}/health/ready`).catch(() => undefined);
      await answer?.arrayBuffer().catch(() => undefined);
      if (answer?.ok) this.ready.add(gateway);
      else this.ready.delete(gateway);
      await delay(POLL_MS);
    }
  }
}
