import { LRUCache } from "lru-cache";
import type { Cache } from "../../ports/cache.js";

/** Key, map entry and object around each value. */
const OVERHEAD_BYTES = 300;

/** In this process's memory: the least recently used go first. */
export class MemoryCache implements Cache {
  private readonly kept: LRUCache<string, Uint8Array> | undefined;

  /** @param bytes 0 keeps nothing */
  constructor(bytes: number) {
    if (bytes === 0) return;
    const sizeCalculation = (value: Uint8Array) => value.byteLength + OVERHEAD_BYTES;
    this.kept = new LRUCache({ maxSize: bytes, sizeCalculation });
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    return this.kept?.get(key);
  }

  async set(key: string, value: Uint8Array, seconds: number): Promise<void> {
    this.kept?.set(key, value, { ttl: seconds * 1_000 });
  }

  async close(): Promise<void> {
    this.kept?.clear();
  }
}
