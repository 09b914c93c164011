import type { DrawnPoints, PointsLedger } from "../../ports/points-ledger.js";
import { reportCacheServer } from "../../telemetry/events.js";
import { cacheServerUp } from "../../telemetry/metrics.js";
import { createRedisClient } from "../redis/redis-client.js";
import type { RedisClient, RedisServerOptions } from "../redis/redis-client.js";
import { CircuitBreaker } from "./circuit-breaker.js";
import { LateError, inTime } from "./in-time.js";

const FAILURES = 3;
const PAUSE_MS = 2_000;
const MOST_RETRY_MS = 2_000;

/**
 * The budget's key lives for the minute that begins at its first use. A part is at most a quarter of what is left, so
 * that several processes can use a budget up together; a whole draw is one command, which nobody comes between.
 */
const DRAW = `
local budget, least, most = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local left = budget - tonumber(redis.call("GET", KEYS[1]) or "0")
local points = 0
if left >= least then
  points = math.max(least, math.min(most, math.floor(left / 4)))
  if redis.call("EXISTS", KEYS[1]) == 0 then
    redis.call("SET", KEYS[1], points, "PX", 60000)
  else
    redis.call("INCRBY", KEYS[1], points)
  end
end
return { points, left - points, redis.call("PTTL", KEYS[1]) }`;

/** Counts in the Redis that all processes share, and where that is slow or gone in `alone`. */
export class RedisLedger implements PointsLedger {
  private readonly breaker: CircuitBreaker;

  private constructor(
    private readonly client: RedisClient,
    private readonly prefix: string,
    private readonly alone: PointsLedger,
  ) {
    this.breaker = new CircuitBreaker({
      failures: FAILURES,
      pauseMs: PAUSE_MS,
      onOpen: (reason) => {
        reportCacheServer({ call: "rate", available: false, reason: reason.message });
        if (reason instanceof LateError) this.client.disconnect(true);
      },
      onClose: () => reportCacheServer({ call: "rate", available: true }),
    });
  }

  /** Does not wait for the server. */
  static open({
    prefix,
    alone,
    ...server
  }: RedisServerOptions & { prefix: string; alone: PointsLedger }): RedisLedger {
    const client = createRedisClient(server, {
      maxRetriesPerRequest: 0,
      enableOfflineQueue: false,
      mostRetryMs: MOST_RETRY_MS,
    });
    // Every call says by itself what became of it.
    client.on("error", () => undefined);
    cacheServerUp.set({ call: "rate" }, 1);
    return new RedisLedger(client, `${prefix}:points:`, alone);
  }

  async draw(caller: string, request: { least: number; most: number; budget: number }): Promise<DrawnPoints> {
    const { least, most, budget } = request;
    const drawn = await this.breaker.run(() =>
      inTime(this.client.eval(DRAW, 1, this.prefix + caller, budget, least, most) as Promise<number[]>),
    );
    if (!drawn) return this.alone.draw(caller, request);
    const [points, left, endsInMs] = drawn as [number, number, number];
    return { points, left, endsInMs };
  }

  async close(): Promise<void> {
    this.client.disconnect();
  }
}
