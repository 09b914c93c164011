import { LRUCache } from "lru-cache";
import { RateLimitedError } from "../shared/errors.js";

const ADDRESSES_REMEMBERED = 10_000;
const MINUTE_MS = 60_000;

/** Keeps an address that guesses at credentials from guessing on; counted by each process for itself. */
export class FailedLogins {
  private readonly failures = new LRUCache<string, { count: number; endsAt: number }>({
    max: ADDRESSES_REMEMBERED,
  });

  /** @param most failures a minute; 0 is without end */
  constructor(private readonly most: number) {}

  /** @throws {RateLimitedError} before anybody looks at the credential */
  assertMayTry(address: string): void {
    const known = this.failures.get(address);
    const leftMs = (known?.endsAt ?? 0) - performance.now();
    if (this.most === 0 || !known || leftMs <= 0 || known.count < this.most) return;
    throw new RateLimitedError(
      `${this.most} credentials of this address were refused within a minute (ML_MAX_FAILED_LOGINS)`,
      Math.ceil(leftMs / 1000),
    );
  }

  note(address: string): void {
    const now = performance.now();
    const known = this.failures.get(address);
    if (known && now < known.endsAt) known.count++;
    else this.failures.set(address, { count: 1, endsAt: now + MINUTE_MS });
  }
}
