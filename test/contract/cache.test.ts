import { MemoryCache } from "../../src/adapters/embedded/memory-cache.js";
import { describeCache } from "./cache-contract.js";

describeCache("in memory", async () => {
  const cache = new MemoryCache(1 << 20);
  return { cache, drop: () => cache.close() };
});

test("in memory, no more bytes than allowed are kept, those that were used last", async () => {
  const cache = new MemoryCache(20_000);
  const value = new Uint8Array(5_000);
  for (const key of ["a", "b", "c"]) await cache.set(key, value, 60);
  await cache.get("a");
  await cache.set("d", value, 60);
  const kept = await Promise.all(["a", "b", "c", "d"].map(async (key) => (await cache.get(key)) && key));
  expect(kept).toEqual(["a", undefined, "c", "d"]);
});

test("in memory without room keeps nothing", async () => {
  const cache = new MemoryCache(0);
  await cache.set("a", new Uint8Array(1), 60);
  expect(await cache.get("a")).toBeUndefined();
});
