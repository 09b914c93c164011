import { setTimeout as delay } from "node:timers/promises";
import { until } from "../support/until.js";
import type { GraphClient } from "./graph-client.js";

const POLL_MS = 50;
const NOTICED_WITHIN_MS = 30_000;

/** Which gateways a load balancer would send requests to: those that said so when last asked. */
export class ReadyGateways {
  private ready: readonly GraphClient[];
  private readonly stopped = new AbortController();
  private readonly polling: Promise<void>;

  constructor(private readonly gateways: () => readonly GraphClient[]) {
    this.ready = gateways();
    this.polling = this.poll();
  }

  readonly list = (): readonly GraphClient[] => this.ready;

  /** Waits until all of them are. */
  async all(): Promise<void> {
    await until(() => this.ready.length === this.gateways().length, NOTICED_WITHIN_MS);
  }

  async stop(): Promise<void> {
    this.stopped.abort();
    await this.polling;
  }

  private async poll(): Promise<void> {
    while (!this.stopped.signal.aborted) {
      const asked = await Promise.all(
        this.gateways().map(async (gateway) => {
          const answer = await fetch(`${gateway.url}/health/ready`).catch(() => undefined);
          await answer?.arrayBuffer().catch(() => undefined);
          return answer?.ok ? gateway : undefined;
        }),
      );
      this.ready = asked.filter((gateway) => gateway !== undefined);
      await delay(POLL_MS);
    }
  }
}
