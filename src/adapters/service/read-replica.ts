import pg from "pg";
import type { DataSource } from "typeorm";
import { watchedPools } from "../../telemetry/watched-pools.js";
import type { AdapterLog } from "../adapter-log.js";
import { assertAnswers } from "../assert-answers.js";
import { connectDataSource, poolOf } from "../postgres/typeorm-database.js";
import type { TypeormDatabaseOptions } from "../postgres/typeorm-database.js";

/** A place in the write-ahead log; later ones are greater. */
export type LogPosition = bigint;

/** An answer that is older says nothing any more. */
const TRUSTED_MS = 2_000;

/** A server that follows the primary: how far it has come is asked again and again, on a connection of its own. */
export class ReadReplica {
  private connected?: DataSource;
  private probe?: pg.Client;
  private replayed?: LogPosition;
  /** Whether or not it may be read from. */
  private lastSeen?: LogPosition;
  private answeredAt = -Infinity;
  private used = false;
  private asking?: Promise<void>;

  constructor(
    /** For people: the variable and the place in it. */
    readonly name: string,
    private readonly options: TypeormDatabaseOptions,
    private readonly log: AdapterLog | undefined,
  ) {}

  /** Its pool, if it can be read from and has come at least as far. */
  sourceAt(position: LogPosition): DataSource | undefined {
    const trusted = performance.now() - this.answeredAt < TRUSTED_MS;
    const there = trusted && this.replayed !== undefined && this.replayed >= position;
    return there ? this.connected : undefined;
  }

  /** How far it had come when it last answered. */
  get lastPosition(): LogPosition | undefined {
    return this.lastSeen;
  }

  /** Nothing is read from it until it has answered again. */
  leaveOut(): void {
    this.replayed = undefined;
  }

  /**
   * Asks how far it has come, one question at a time.
   * @param wanted the least position at which it does not lag too much
   */
  ask(wanted: LogPosition): void {
    this.asking ??= this.askOnce(wanted).finally(() => (this.asking = undefined));
  }

  private async askOnce(wanted: LogPosition): Promise<void> {
    try {
      const replayed = (this.lastSeen = await this.position());
      this.connected ??= await this.connect();
      this.replayed = replayed >= wanted ? replayed : undefined;
      this.answeredAt = performance.now();
      this.report(this.replayed !== undefined, replayed >= wanted ? undefined : "it lags");
    } catch (error) {
      this.leaveOut();
      this.probe?.end().catch(() => undefined);
      this.probe = undefined;
      this.report(false, (error as Error).message);
    }
  }

  async close(): Promise<void> {
    await this.asking;
    this.leaveOut();
    await this.probe?.end().catch(() => undefined);
    await this.connected?.destroy();
  }

  private async connect(): Promise<DataSource> {
    const source = await connectDataSource(this.options);
    watchedPools.set(this.name, poolOf(source));
    return source;
  }

  private async position(): Promise<LogPosition> {
    this.probe ??= await this.connectProbe();
    const asked = this.probe.query<{ position: string | null }>(
      "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()::text END AS position",
    );
    await assertAnswers(this.name, asked, TRUSTED_MS / 2);
    const { position } = (await asked).rows[0]!;
    if (position === null) throw new Error("it follows no other server");
    return parsePosition(position);
  }

  private async connectProbe(): Promise<pg.Client> {
    const client = new pg.Client({ ...this.options.connection, connectionTimeoutMillis: TRUSTED_MS / 2 });
    client.on("error", () => this.leaveOut());
    await client.connect();
    return client;
  }

  private report(used: boolean, reason?: string): void {
    if (used === this.used) return;
    this.used = used;
    const fields = { event: used ? "replica.used" : "replica.left_out", replica: this.name, reason };
    if (used) this.log?.info(fields, "reads go to a replica");
    else this.log?.warn(fields, "a replica is left out");
  }
}

/** @param text as PostgreSQL writes it, e.g. `16/B374D848` */
export function parsePosition(text: string): LogPosition {
  const [high, low] = text.split("/");
  return (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`);
}
