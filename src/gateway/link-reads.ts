import { LRUCache } from "lru-cache";
import { RateLimitedError } from "../shared/errors.js";

const LINKS_REMEMBERED = 10_000;
const MINUTE_MS = 60_000;
const MOST_READS = 600;

/** Each read of an artifact is a row of the audit log: keeps one link from filling it. Counted by each process for itself. */
export class LinkReads {
  private readonly reads = new LRUCache<string, { count: number; endsAt: number }>({ max: LINKS_REMEMBERED });

  /**
   * @param link what its signature covers: other ways to write it are the same link
   * @throws {RateLimitedError}
   */
  take(link: string): void {
    const now = performance.now();
    const known = this.reads.get(link);
    if (!known || now >= known.endsAt) {
      this.reads.set(link, { count: 1, endsAt: now + MINUTE_MS });
      return;
    }
    if (known.count === MOST_READS) {
      const seconds = Math.ceil((known.endsAt - now) / 1000);
      throw new RateLimitedError(`a link is read ${MOST_READS} times a minute at most`, seconds);
    }
    known.count++;
  }
}
