import { randomUUID } from "node:crypto";
import { MemoryCache } from "../../src/adapters/embedded/memory-cache.js";
import { LayeredCache } from "../../src/adapters/service/layered-cache.js";
import { RedisCache } from "../../src/adapters/service/redis-cache.js";
import { describeCache } from "../contract/cache-contract.js";
import { startRedis } from "../support/redis-server.js";
import type { RedisServer } from "../support/redis-server.js";
import { until } from "../support/until.js";

let redis: RedisServer;
const opened: RedisCache[] = [];

beforeAll(async () => {
  redis = await startRedis({ policy: "allkeys-lfu", password: "a cache's pass/word" });
});

afterAll(async () => {
  await Promise.all(opened.map((cache) => cache.close()));
  await redis.stop();
});

/** A cache that is connected. */
async function openCache(server = redis): Promise<RedisCache> {
  const cache = RedisCache.open({ url: server.url, prefix: randomUUID() });
  opened.push(cache);
  await until(() => remembers(cache));
  return cache;
}

async function remembers(cache: RedisCache): Promise<boolean> {
  const key = randomUUID();
  await cache.set(key, Uint8Array.of(7), 60);
  return (await cache.get(key))?.[0] === 7;
}

async function timed(call: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await call();
  return performance.now() - began;
}

describeCache("on Redis", async () => ({ cache: await openCache(), drop: async () => undefined }));

describeCache("in memory before Redis", async () => ({
  cache: new LayeredCache(new MemoryCache(1 << 20), await openCache()),
  drop: async () => undefined,
}));

test("what one process found, another one has", async () => {
  const prefix = randomUUID();
  const [here, there] = [1, 2].map(() => {
    const shared = RedisCache.open({ url: redis.url, prefix });
    opened.push(shared);
    return new LayeredCache(new MemoryCache(1 << 20), shared);
  });
  await until(async () => {
    await here!.set("found", Uint8Array.of(1), 60);
    return (await there!.get("found"))?.[0] === 1;
  });
});

test("large values are not sent", async () => {
  const cache = await openCache();
  await cache.set("large", new Uint8Array(300 * 1024), 60);
  expect(await cache.get("large")).toBeUndefined();
  expect(await remembers(cache)).toBe(true);
});

test("a Redis that was never there costs nothing and fails nothing", async () => {
  const cache = RedisCache.open({ url: "redis://127.0.0.1:1", prefix: "x" });
  opened.push(cache);
  const waited = await timed(async () => {
    for (let i = 0; i < 100; i++) {
      await cache.set("a", Uint8Array.of(1), 60);
      expect(await cache.get("a")).toBeUndefined();
    }
  });
  expect(waited).toBeLessThan(500);
});

test("a Redis that is killed is done without, and used again when it is back", async () => {
  const own = await startRedis({ policy: "allkeys-lfu" });
  const cache = await openCache(own);
  await own.kill();
  expect(await cache.get("a")).toBeUndefined();
  await own.restart();
  await until(() => remembers(cache), 20_000);
  await own.stop();
});

test("a Redis that stalls holds up a few callers for some tens of milliseconds, then nobody", async () => {
  const own = await startRedis({ policy: "allkeys-lfu" });
  const cache = await openCache(own);
  own.pause();
  const waits: number[] = [];
  for (let i = 0; i < 50; i++) waits.push(await timed(() => cache.get(`stalled-${i}`)));
  expect(waits.filter((ms) => ms > 20).length).toBeLessThanOrEqual(5);
  own.resume();
  await until(() => remembers(cache), 20_000);
  await own.stop();
});

test("a Redis that is full and evicts nothing is still read", async () => {
  const own = await startRedis({ policy: "noeviction" });
  const cache = await openCache(own);
  await cache.set("before", Uint8Array.of(5), 60);
  await own.ask("CONFIG", "SET", "maxmemory", "1");
  for (let i = 0; i < 10; i++) await cache.set(`full-${i}`, new Uint8Array(1_000), 60);
  expect((await cache.get("before"))?.[0]).toBe(5);
  expect(await cache.get("full-9")).toBeUndefined();
  await own.ask("CONFIG", "SET", "maxmemory", "0");
  await until(() => remembers(cache), 20_000);
  await own.stop();
});
