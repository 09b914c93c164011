import { randomUUID } from "node:crypto";
import type { RedisClient } from "../redis/redis-client.js";

/** Longer than any outage that anybody sits out. */
const MARK_SECONDS = 400 * 86_400;

/**
 * Notices that a Redis answers again after an outage, or that it has forgotten what it held: a flush breaks no
 * connection, and a server without a disk comes back empty. A key of random content tells.
 */
export class RedisWatch {
  private mark: string | undefined;
  private timer: NodeJS.Timeout | undefined;
  private looking = false;
  private away = false;

  constructor(
    private readonly client: RedisClient,
    private readonly key: string,
    private readonly everyMs: number,
    private readonly onRecovered: () => void,
  ) {}

  async start(): Promise<void> {
    this.mark = await this.readMark();
    this.client.on("close", () => (this.away = true));
    this.client.on("ready", () => void this.look());
    this.timer = setInterval(() => void this.look(), this.everyMs);
    this.timer.unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private async look(): Promise<void> {
    if (this.looking) return;
    this.looking = true;
    try {
      const found = await this.readMark();
      const recovered = this.away || found !== this.mark;
      this.away = false;
      this.mark = found;
      if (recovered) this.onRecovered();
    } catch {
      this.away = true;
    } finally {
      this.looking = false;
    }
  }

  /** The mark that all processes see; made where there is none. */
  private async readMark(): Promise<string> {
    await this.client.set(this.key, randomUUID(), "EX", MARK_SECONDS, "NX");
    return (await this.client.get(this.key)) ?? "";
  }
}
