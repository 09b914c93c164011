import { LRUCache } from "lru-cache";
import type { DrawnPoints, PointsLedger } from "../../ports/points-ledger.js";

const CALLERS_REMEMBERED = 10_000;
const MINUTE_MS = 60_000;

/** Counts what this process hands out. */
export class MemoryLedger implements PointsLedger {
  private readonly minutes = new LRUCache<string, { used: number; endsAt: number }>({
    max: CALLERS_REMEMBERED,
  });

  draw(
    caller: string,
    { least, most, budget }: { least: number; most: number; budget: number },
  ): Promise<DrawnPoints> {
    const now = performance.now();
    let minute = this.minutes.get(caller);
    if (!minute || now >= minute.endsAt) {
      minute = { used: 0, endsAt: now + MINUTE_MS };
      this.minutes.set(caller, minute);
    }
    const left = budget - minute.used;
    const points = left < least ? 0 : Math.min(left, Math.max(least, most));
    minute.used += points;
    return Promise.resolve({ points, left: left - points, endsInMs: minute.endsAt - now });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
