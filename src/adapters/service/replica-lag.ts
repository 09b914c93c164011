import type { LogPosition } from "./read-replica.js";

/** Between two places that are kept: lag is told about as exactly. */
const EVERY_MS = 1_000;
/** Lag beyond this is told as this. */
const LONGEST_MS = 600_000;

/**
 * Where the primary was, as far back as lag is told. A replica that has replayed a place is behind by no more than has
 * passed since the primary was there, so no clock but this process's is asked, and an idle primary makes no lag.
 */
export class ReplicaLag {
  private readonly places: { at: number; position: LogPosition }[] = [];

  note(at: number, position: LogPosition): void {
    const last = this.places.at(-1);
    if (last && at - last.at < EVERY_MS) return;
    this.places.push({ at, position });
    while (this.places[0]!.at < at - LONGEST_MS) this.places.shift();
  }

  /** @param replayed how far a replica has come, undefined when it never answered */
  seconds(replayed: LogPosition | undefined, now: number): number {
    const reached =
      replayed === undefined ? -1 : this.places.findLastIndex((place) => place.position <= replayed);
    // Just behind the newest place is not behind: the next one is not noted yet.
    if (reached === this.places.length - 1) return 0;
    return (now - (this.places[reached] ?? this.places[0]!).at) / 1000;
  }
}
