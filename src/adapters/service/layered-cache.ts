import type { Cache } from "../../ports/cache.js";

/** Before each value that is shared: the second since 1970 at which it ends, so that copies end with it. */
const HEAD_BYTES = 4;

/** A near cache in front of one that others share. */
export class LayeredCache implements Cache {
  constructor(
    private readonly near: Cache,
    private readonly far: Cache,
  ) {}

  async get(key: string): Promise<Uint8Array | undefined> {
    const near = await this.near.get(key);
    if (near) return near;
    const far = await this.far.get(key);
    if (!far || far.byteLength < HEAD_BYTES) return undefined;
    const seconds = new DataView(far.buffer, far.byteOffset).getUint32(0) - now();
    if (seconds <= 0) return undefined;
    const value = far.subarray(HEAD_BYTES);
    await this.near.set(key, value, seconds);
    return value;
  }

  async set(key: string, value: Uint8Array, seconds: number): Promise<void> {
    await this.near.set(key, value, seconds);
    const shared = new Uint8Array(HEAD_BYTES + value.byteLength);
    new DataView(shared.buffer).setUint32(0, now() + seconds);
    shared.set(value, HEAD_BYTES);
    await this.far.set(key, shared, seconds);
  }

  /** The far one belongs to others, too. */
  close(): Promise<void> {
    return this.near.close();
  }
}

function now(): number {
  return Math.floor(Date.now() / 1_000);
}
