import { RateLimitedError } from "../shared/errors.js";
import { networkOf } from "./client-network.js";

/** Of one process; 0 is without end. */
export interface SocketLimits {
  total: number;
  perCaller: number;
  /** On all sockets of a caller together. */
  subscriptionsPerCaller: number;
}

/** A socket with what is under way on it, by id. */
export interface CountedSocket {
  readonly subscriptions: Readonly<Record<string, unknown>>;
}

/** Sockets that have not said who they are, at a time: each has three seconds for it. */
const MOST_STRANGERS = 500;
/** Of these, from one address: nobody alone takes all of the room. */
const MOST_STRANGERS_OF_CLIENT = 50;

/** Knows all sockets, and whose they are. */
export class SocketCensus {
  private readonly byCaller = new Map<string, Set<CountedSocket>>();
  /** And the network that each comes from. */
  private readonly strangers = new Map<object, string>();
  private total = 0;

  constructor(private readonly limits: SocketLimits) {}

  /** Whether one more may be opened from this address. */
  hasRoomFor(address: string): boolean {
    if (this.strangers.size >= MOST_STRANGERS || !isWithin(this.total + 1, this.limits.total)) return false;
    const network = networkOf(address);
    let alike = 0;
    for (const other of this.strangers.values()) if (other === network) alike++;
    return alike < MOST_STRANGERS_OF_CLIENT;
  }

  opened(socket: object, address: string): void {
    this.strangers.set(socket, networkOf(address));
    this.total++;
  }

  closed(socket: object): void {
    this.strangers.delete(socket);
    this.total--;
  }

  /**
   * A stranger has said who it is.
   * @returns to be called when the socket is gone
   * @throws {RateLimitedError}
   */
  admit(socket: object, caller: string, counted: CountedSocket): () => void {
    this.strangers.delete(socket);
    const own = this.byCaller.get(caller) ?? new Set();
    const { perCaller } = this.limits;
    if (!isWithin(own.size + 1, perCaller)) {
      throw new RateLimitedError(`a caller has ${perCaller} sockets at most (ML_MAX_SOCKETS_PER_CALLER)`);
    }
    this.byCaller.set(caller, own.add(counted));
    return () => {
      own.delete(counted);
      if (own.size === 0 && this.byCaller.get(caller) === own) this.byCaller.delete(caller);
    };
  }

  /**
   * To be asked when an operation has come, which counts already.
   * @throws {RateLimitedError}
   */
  assertMaySubscribe(caller: string): void {
    const { subscriptionsPerCaller: most } = this.limits;
    let count = 0;
    for (const { subscriptions } of this.byCaller.get(caller) ?? [])
      count += Object.keys(subscriptions).length;
    if (isWithin(count, most)) return;
    throw new RateLimitedError(
      `a caller has ${most} subscriptions at most, on all its sockets (ML_MAX_SUBSCRIPTIONS_PER_CALLER)`,
    );
  }
}

function isWithin(count: number, limit: number): boolean {
  return limit === 0 || count <= limit;
}
