import { LRUCache } from "lru-cache";
import type { PointsLedger } from "../ports/points-ledger.js";
import { RateLimitedError } from "../shared/errors.js";

/** Parts in which a budget is drawn: a call costs a look into this process's own memory, not a question to a server. */
const PARTS = 20;
const CALLERS_REMEMBERED = 10_000;

/** A part of a caller's budget that this process hands out. */
interface Lease {
  left: number;
  endsAt: number;
  /** Nothing is to be had before it ends. */
  dry: boolean;
  drawing?: Promise<unknown>;
}

/** Keeps each caller to its points of a minute. */
export class RateLimiter {
  private readonly leases = new LRUCache<string, Lease>({ max: CALLERS_REMEMBERED });

  /** @param budget whole points a minute for each caller, in all processes that share the ledger; 0 is without end */
  constructor(
    private readonly ledger: PointsLedger,
    private readonly budget: number,
  ) {}

  /**
   * Whether anything at all is left: to be asked before a request is read.
   * @throws {RateLimitedError}
   */
  assertSolvent(caller: string): void {
    const lease = this.leases.get(caller);
    if (lease?.dry && performance.now() < lease.endsAt) throw this.refusal(lease);
  }

  /**
   * Takes points; at once where this process has enough.
   * @throws {RateLimitedError} when the caller has used its budget up, and for more than a whole budget
   */
  take(caller: string, points: number): Promise<void> | undefined {
    if (this.budget === 0) return undefined;
    const lease = this.leases.get(caller);
    if (lease && lease.left >= points && performance.now() < lease.endsAt) {
      lease.left -= points;
      return undefined;
    }
    return this.draw(caller, points);
  }

  private async draw(caller: string, points: number): Promise<void> {
    let lease = this.leases.get(caller);
    if (!lease) this.leases.set(caller, (lease = { left: 0, endsAt: 0, dry: false }));
    for (;;) {
      if (performance.now() >= lease.endsAt) Object.assign(lease, { left: 0, dry: false });
      if (lease.left >= points) break;
      if (lease.drawing) {
        await lease.drawing;
        continue;
      }
      lease.drawing = this.refill(caller, lease, points).finally(() => (lease.drawing = undefined));
      if (!(await lease.drawing)) throw this.refusal(lease);
    }
    lease.left -= points;
  }

  /** @returns whether there was enough */
  private async refill(caller: string, lease: Lease, points: number): Promise<boolean> {
    const { budget } = this;
    const least = Math.ceil(points - lease.left);
    const drawn = await this.ledger.draw(caller, { least, most: Math.ceil(budget / PARTS), budget });
    lease.left += drawn.points;
    lease.endsAt = performance.now() + drawn.endsInMs;
    lease.dry = drawn.points === 0 && drawn.left + lease.left < 1;
    return drawn.points > 0;
  }

  private refusal({ endsAt }: Lease): RateLimitedError {
    const seconds = Math.max(1, Math.ceil((endsAt - performance.now()) / 1000));
    return new RateLimitedError(
      `the ${this.budget} points of a minute (ML_RATE_LIMIT_POINTS) are used up; more come in ${seconds} s`,
      seconds,
    );
  }
}
