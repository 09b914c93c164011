import { LRUCache } from "lru-cache";
import { RateLimitedError, UnauthenticatedError } from "../shared/errors.js";
import { networkOf } from "./client-network.js";

const CLIENTS_REMEMBERED = 10_000;
const CREDENTIALS_REMEMBERED = 5_000;
const MINUTE_MS = 60_000;

/** Of one client, within a minute. */
interface Attempts {
  refused: number;
  /** Counted as refused until they have been judged: many at once are no way to more. */
  pending: number;
  waiting: (() => void)[];
  endsAt: number;
}

/** Keeps an address that guesses at credentials from guessing on; counted by each process for itself. */
export class FailedLogins {
  private readonly clients = new LRUCache<string, Attempts>({ max: CLIENTS_REMEMBERED });
  private readonly accepted = new LRUCache<string, true>({ max: CREDENTIALS_REMEMBERED });

  /** @param most refused credentials a minute; 0 is without end */
  constructor(private readonly most: number) {}

  /**
   * Has a credential looked at. One that was accepted before is no guess: whoever shares an address with somebody
   * who guesses goes on.
   * @throws {RateLimitedError} before anybody looks at it
   */
  async judge<T>(address: string, credential: string, look: () => Promise<T>): Promise<T> {
    if (this.most === 0) return look();
    const network = networkOf(address);
    const attempts = this.accepted.get(credential) ? undefined : await this.begin(network);
    try {
      const judged = await look();
      this.accepted.set(credential, true);
      return judged;
    } catch (error) {
      if (error instanceof UnauthenticatedError) {
        this.accepted.delete(credential);
        if (attempts) attempts.refused++;
      }
      throw error;
    } finally {
      if (attempts) this.end(network, attempts);
    }
  }

  /** Waits where only those that have not been judged yet are too many. */
  private async begin(network: string): Promise<Attempts> {
    for (;;) {
      const attempts = this.attemptsOf(network);
      if (attempts.refused >= this.most) throw this.refusal(attempts);
      if (attempts.refused + attempts.pending < this.most) {
        attempts.pending++;
        return attempts;
      }
      await new Promise<void>((wake) => attempts.waiting.push(wake));
    }
  }

  private end(network: string, attempts: Attempts): void {
    attempts.pending--;
    if (attempts.refused + attempts.pending === 0 && this.clients.peek(network) === attempts) {
      this.clients.delete(network);
    }
    const { refused, pending } = attempts;
    const next = refused >= this.most ? Infinity : this.most - refused - pending;
    for (const wake of attempts.waiting.splice(0, next)) wake();
  }

  private attemptsOf(network: string): Attempts {
    const now = performance.now();
    const known = this.clients.get(network);
    if (known && now < known.endsAt) return known;
    const fresh = { refused: 0, pending: 0, waiting: [], endsAt: now + MINUTE_MS };
    this.clients.set(network, fresh);
    return fresh;
  }

  private refusal({ endsAt }: Attempts): RateLimitedError {
    return new RateLimitedError(
      `${this.most} credentials of this address were refused within a minute (ML_MAX_FAILED_LOGINS)`,
      Math.max(1, Math.ceil((endsAt - performance.now()) / 1000)),
    );
  }
}
