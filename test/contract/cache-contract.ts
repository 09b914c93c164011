import { randomUUID } from "node:crypto";
import type { Cache } from "../../src/ports/cache.js";
import { until } from "../support/until.js";

export interface CacheUnderTest {
  cache: Cache;
  drop(): Promise<void>;
}

const bytes = (...values: number[]) => Uint8Array.from(values);

export function describeCache(name: string, open: () => Promise<CacheUnderTest>): void {
  describe(name, () => {
    let subject: CacheUnderTest;
    let cache: Cache;
    beforeAll(async () => {
      subject = await open();
      cache = subject.cache;
    });
    afterAll(() => subject.drop());

    test("knows nothing that it was not given", async () => {
      expect(await cache.get(randomUUID())).toBeUndefined();
    });

    test("gives back any bytes, none among them, and the newest under each key", async () => {
      const all = Uint8Array.from({ length: 256 }, (_, i) => i);
      await cache.set("all", all, 60);
      await cache.set("none", bytes(), 60);
      await cache.set("changed", bytes(1), 60);
      await cache.set("changed", bytes(2, 3), 60);
      expect(Uint8Array.from((await cache.get("all"))!)).toEqual(all);
      expect(Uint8Array.from((await cache.get("none"))!)).toEqual(bytes());
      expect(Uint8Array.from((await cache.get("changed"))!)).toEqual(bytes(2, 3));
    });

    test("keeps only the part of a buffer that it was given", async () => {
      const part = new Uint8Array(bytes(1, 2, 3, 4).buffer, 1, 2);
      await cache.set("part", part, 60);
      expect(Uint8Array.from((await cache.get("part"))!)).toEqual(bytes(2, 3));
    });

    test("forgets when the time is over", async () => {
      await cache.set("brief", bytes(1), 1);
      expect(await cache.get("brief")).toBeDefined();
      await until(async () => (await cache.get("brief")) === undefined);
    });

    test("takes many at once", async () => {
      const keys = Array.from({ length: 500 }, (_, i) => `many-${i}`);
      // It may be short of time, and forget.
      await until(async () => {
        await Promise.all(keys.map((key, i) => cache.set(key, bytes(i % 256), 60)));
        const read = await Promise.all(keys.map((key) => cache.get(key)));
        return read.every((value, i) => value?.[0] === i % 256);
      });
    });
  });
}
