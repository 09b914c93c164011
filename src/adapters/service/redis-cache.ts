import type { Cache } from "../../ports/cache.js";
import { reportCacheServer } from "../../telemetry/events.js";
import { cacheServerUp } from "../../telemetry/metrics.js";
import { createRedisClient } from "../redis/redis-client.js";
import type { RedisClient, RedisServerOptions } from "../redis/redis-client.js";
import { CircuitBreaker } from "./circuit-breaker.js";
import { LateError, inTime } from "./in-time.js";

export interface RedisCacheOptions extends RedisServerOptions {
  /** What the names of all keys begin with. */
  prefix: string;
}

/** Larger values would hold the connection that all lookups share. */
const MOST_BYTES = 256 * 1024;
const FAILURES = 3;
const PAUSE_MS = 2_000;
const MOST_RETRY_MS = 2_000;

/** A Redis that may be slow, full or gone at any time: it then answers like one that knows nothing. */
export class RedisCache implements Cache {
  private readonly reading = this.breaker("read");
  /** One that is full refuses to be written and can be read. */
  private readonly writing = this.breaker("write");

  private constructor(
    private readonly client: RedisClient,
    private readonly prefix: string,
  ) {}

  /** Does not wait for the server. */
  static open({ prefix, ...server }: RedisCacheOptions): RedisCache {
    const client = createRedisClient(server, {
      maxRetriesPerRequest: 0,
      enableOfflineQueue: false,
      enableAutoPipelining: true,
      mostRetryMs: MOST_RETRY_MS,
    });
    // Every call says by itself what became of it.
    client.on("error", () => undefined);
    for (const call of ["read", "write"]) cacheServerUp.set({ call }, 1);
    return new RedisCache(client, `${prefix}:cache:`);
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    const read = await this.reading.run(() => inTime(this.client.getBuffer(this.prefix + key)));
    return read ?? undefined;
  }

  async set(key: string, value: Uint8Array, seconds: number): Promise<void> {
    if (value.byteLength > MOST_BYTES) return;
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    await this.writing.run(() => inTime(this.client.set(this.prefix + key, bytes, "EX", seconds)));
  }

  async close(): Promise<void> {
    this.client.disconnect();
  }

  private breaker(call: "read" | "write"): CircuitBreaker {
    return new CircuitBreaker({
      failures: FAILURES,
      pauseMs: PAUSE_MS,
      onOpen: (reason) => {
        reportCacheServer({ call, available: false, reason: reason.message });
        // What waits on a connection that has stalled would be sent all at once when it goes on.
        if (reason instanceof LateError) this.client.disconnect(true);
      },
      onClose: () => reportCacheServer({ call, available: true }),
    });
  }
}
