import { setTimeout as delay } from "node:timers/promises";
import type { DataSource } from "typeorm";
import { replicaLag } from "../../telemetry/metrics.js";
import { parsePosition } from "./read-replica.js";
import type { LogPosition, ReadReplica } from "./read-replica.js";
import { ReplicaLag } from "./replica-lag.js";

/** How often replicas are asked: what a caller wrote is read from the primary for about as long. */
const ASK_EVERY_MS = 200;

/** Where the primary was at a time. */
interface Sample {
  at: number;
  position: LogPosition;
}

/**
 * The replicas that may be read from. Lag is measured by this process's clock alone: a replica that has replayed what
 * the primary had written at a time is behind by no more than has passed since; an idle primary makes none lag.
 */
export class ReadReplicas {
  private readonly samples: Sample[] = [];
  private readonly lag = new ReplicaLag();
  private readonly closing = new AbortController();
  private readonly asking: Promise<void>;

  constructor(
    private readonly primary: DataSource,
    private readonly replicas: readonly ReadReplica[],
    private readonly maxLagMs: number,
  ) {
    this.asking = this.askAgainAndAgain();
  }

  /** One that has all that the caller wrote, as far as it was told of it; undefined where there is none. */
  async sourceFor(caller: string): Promise<{ replica: ReadReplica; source: DataSource } | undefined> {
    if (this.sourcesAt(0n).length === 0) return undefined;
    const [row] = await this.primary.query<{ position: string }[]>(
      "SELECT position::text AS position FROM caller_positions WHERE caller = $1",
      [caller],
    );
    const sources = this.sourcesAt(row ? parsePosition(row.position) : 0n);
    return sources[Math.floor(Math.random() * sources.length)];
  }

  /** Notes that what is committed now belongs to the caller. */
  async note(caller: string): Promise<void> {
    await this.primary.query(
      `INSERT INTO caller_positions AS known (caller, position) VALUES ($1, pg_current_wal_insert_lsn())
       ON CONFLICT (caller) DO UPDATE SET position = greatest(known.position, excluded.position), at = now()`,
      [caller],
    );
  }

  /** Positions that every replica in use has long passed. */
  async forget(): Promise<void> {
    await this.primary.query("DELETE FROM caller_positions WHERE at < now() - interval '1 day'");
  }

  async close(): Promise<void> {
    this.closing.abort();
    await this.asking;
    await Promise.all(this.replicas.map((replica) => replica.close()));
  }

  private sourcesAt(position: LogPosition): { replica: ReadReplica; source: DataSource }[] {
    return this.replicas.flatMap((replica) => {
      const source = replica.sourceAt(position);
      return source ? [{ replica, source }] : [];
    });
  }

  private async askAgainAndAgain(): Promise<void> {
    const { signal } = this.closing;
    while (!signal.aborted) {
      // Without the primary nothing is known of lag, and no caller's position either.
      await this.sample().catch(() => undefined);
      const wanted = this.samples[0]?.position;
      if (wanted !== undefined) for (const replica of this.replicas) this.follow(replica, wanted);
      await delay(ASK_EVERY_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  private follow(replica: ReadReplica, wanted: LogPosition): void {
    replica.ask(wanted);
    replicaLag.set({ replica: replica.name }, this.lag.seconds(replica.lastPosition, performance.now()));
  }

  private async sample(): Promise<void> {
    const at = performance.now();
    const [row] = await this.primary.query<{ position: string }[]>(
      "SELECT pg_current_wal_flush_lsn()::text AS position",
    );
    const position = parsePosition(row!.position);
    this.samples.push({ at, position });
    this.lag.note(at, position);
    while (this.samples[0]!.at < at - this.maxLagMs && this.samples.length > 1) this.samples.shift();
  }
}
