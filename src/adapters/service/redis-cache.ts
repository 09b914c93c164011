import type { Cache } from "../../ports/cache.js";
import { reportCacheServer } from "../../telemetry/events.js";
import { createRedisClient } from "../redis/redis-client.js";
import type { RedisClient, RedisServerOptions } from "../redis/redis-client.js";
import { CircuitBreaker } from "./circuit-breaker.js";

export interface RedisCacheOptions extends RedisServerOptions {
  /** What the names of all keys begin with. */
  prefix: string;
}

/** What a caller waits for at most: a search that is made anew takes not much longer. */
const LIMIT_MS = 40;
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

class LateError extends Error {
  override readonly name = "LateError";
}

/** @throws {LateError} when the answer has not come in time */
async function inTime<T>(answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    // Where this process itself was late, the answer has come and only waits to be read: it gets the chance.
    timer = setTimeout(() => {
      setImmediate(() => reject(new LateError(`no answer within ${LIMIT_MS} ms`)));
    }, LIMIT_MS);
  });
  answer.catch(() => undefined);
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
    late.catch(() => undefined);
  }
}
