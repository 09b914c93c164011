import { MemoryLedger } from "../../src/adapters/embedded/memory-ledger.js";
import { RedisLedger } from "../../src/adapters/service/redis-ledger.js";
import { RateLimiter } from "../../src/gateway/rate-limiter.js";
import type { PointsLedger } from "../../src/ports/points-ledger.js";
import { RateLimitedError } from "../../src/shared/errors.js";
import { startRedis } from "../support/redis-server.js";
import type { RedisServer } from "../support/redis-server.js";
import { until } from "../support/until.js";

const BUDGET = 1_000;

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis({ policy: "allkeys-lfu" });
});
afterAll(() => redis.stop());

/** A process's limiter, and the draws that it made. */
function limiter(): { rates: RateLimiter; draws: () => number; close: () => Promise<void> } {
  const shared = RedisLedger.open({ url: redis.url, prefix: "test", alone: new MemoryLedger() });
  let draws = 0;
  const counted: PointsLedger = {
    draw: (caller, request) => {
      draws++;
      return shared.draw(caller, request);
    },
    close: () => shared.close(),
  };
  return { rates: new RateLimiter(counted, BUDGET), draws: () => draws, close: () => shared.close() };
}

/** Takes until it is refused, many at once. @returns the points that were given */
async function spendAll(rates: RateLimiter, caller: string, points: number): Promise<number> {
  let spent = 0;
  const spend = async () => {
    for (;;) {
      await rates.take(caller, points);
      spent += points;
      if (spent > 3 * BUDGET) throw new Error("without end");
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: 20 }, spend));
  for (const end of ends) {
    if (end.status === "rejected" && !(end.reason instanceof RateLimitedError)) throw end.reason;
  }
  return spent;
}

async function connected(ledgers: { rates: RateLimiter }[]): Promise<void> {
  await until(async () => {
    for (const { rates } of ledgers) await rates.take("warm-up", 1);
    return (await redis.ask("EXISTS", "test:points:warm-up")).trim() === "1";
  });
}

test("processes that share a Redis give out one budget between them, in few draws", async () => {
  const processes = [limiter(), limiter(), limiter()];
  await connected(processes);
  const before = processes.map(({ draws }) => draws());
  const spent = await Promise.all(processes.map(({ rates }) => spendAll(rates, "shared", 1)));
  const sum = spent.reduce((a, b) => a + b);
  expect(sum).toBeLessThanOrEqual(BUDGET);
  expect(sum).toBeGreaterThan(0.95 * BUDGET);
  processes.forEach(({ draws }, i) => expect(draws() - before[i]!).toBeLessThan(90));
  const left = Number(await redis.ask("PTTL", "test:points:shared"));
  expect(left).toBeGreaterThan(0);
  expect(left).toBeLessThanOrEqual(60_000);
  await Promise.all(processes.map(({ close }) => close()));
});

test("without the Redis each process keeps to the budget by itself, and fails nobody", async () => {
  const one = limiter();
  await connected([one]);
  await redis.kill();
  expect(await spendAll(one.rates, "alone", 1)).toBe(BUDGET);
  await redis.restart();
  await until(async () => {
    await one.rates.take(`back-${Math.random()}`, 1);
    return (await redis.ask("DBSIZE")).trim() !== "0";
  });
  await one.close();
});
