import type { Cache } from "../../ports/cache.js";

/** How long the near one keeps what it has from the far one, whose own time is not known. */
const NEAR_SECONDS = 600;

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
    if (far) await this.near.set(key, far, NEAR_SECONDS);
    return far;
  }

  async set(key: string, value: Uint8Array, seconds: number): Promise<void> {
    await this.near.set(key, value, seconds);
    await this.far.set(key, value, seconds);
  }

  /** The far one belongs to others, too. */
  close(): Promise<void> {
    return this.near.close();
  }
}
