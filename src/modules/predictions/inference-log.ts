import type { Database } from "../../ports/database.js";
import type { Logger } from "../../telemetry/logger.js";
import { predictionLogFailures, predictionsLogged } from "../../telemetry/metrics.js";
import { InferenceRecord } from "./inference-record.entity.js";

/** Longest that a record waits in memory: what a crash can lose. */
const FLUSH_MS = 250;
/** Rows and bytes of JSON that one statement takes: they bound how long a batch holds the event loop. */
const BATCH_ROWS = 500;
const BATCH_BYTES = 1 << 20;
const MOST_WAITING = 20_000;
const MOST_WAITING_BYTES = 64 << 20;
const RETRY_MS = 1_000;
/** At the end of the process. */
const LAST_WRITES_MS = 5_000;

/** A record with its values as JSON, null when they were too big to keep. */
interface WaitingRecord extends InferenceRecord {
  inputs: string | null;
  outputs: string | null;
}

/**
 * Writes inference records behind the answers, in batches. The buffer is bounded: when the database
 * cannot keep up, callers of `append` wait for it rather than records being dropped.
 */
export class InferenceLog {
  private readonly waiting = new Map<string, WaitingRecord>();
  private waitingBytes = 0;
  private flushing: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly database: Database,
    private readonly logger: Logger,
    /** Inputs or outputs beyond this many bytes of JSON are not kept. */
    private readonly valueBytes: number,
  ) {}

  /** Resolves at once while there is room. */
  async append(record: InferenceRecord): Promise<void> {
    while (this.waiting.size >= MOST_WAITING || this.waitingBytes >= MOST_WAITING_BYTES) await this.flush();
    const waiting = { ...record, inputs: this.keep(record.inputs), outputs: this.keep(record.outputs) };
    this.waiting.set(record.id, waiting);
    this.waitingBytes += sizeOf(waiting);
    if (this.waiting.size >= BATCH_ROWS || this.waitingBytes >= BATCH_BYTES) void this.flush();
    else this.timer ??= setTimeout(() => void this.flush(), FLUSH_MS);
  }

  async find(id: string, kind: InferenceRecord["kind"]): Promise<InferenceRecord | undefined> {
    const buffered = this.waiting.get(id);
    if (buffered?.kind === kind) {
      return { ...buffered, inputs: parse(buffered.inputs), outputs: parse(buffered.outputs) };
    }
    return (await this.database.dataSource.manager.findOneBy(InferenceRecord, { id, kind })) ?? undefined;
  }

  /** Writes what waits, unless the database is gone: no answer depends on it. */
  async close(): Promise<void> {
    const deadline = performance.now() + LAST_WRITES_MS;
    let late: NodeJS.Timeout | undefined;
    const over = new Promise<void>((resolve) => (late = setTimeout(resolve, LAST_WRITES_MS)));
    while (this.waiting.size > 0 && performance.now() < deadline) await Promise.race([this.flush(), over]);
    clearTimeout(late);
    clearTimeout(this.timer);
    const count = this.waiting.size;
    if (count === 0) return;
    this.logger.error({ event: "inference_log.lost", count }, "the last predictions are not in the log");
  }

  private flush(): Promise<void> {
    this.flushing ??= this.writeBatch().finally(() => {
      this.flushing = undefined;
      if (this.waiting.size > 0) this.timer ??= setTimeout(() => void this.flush(), 0);
    });
    return this.flushing;
  }

  private async writeBatch(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    const batch = this.nextBatch();
    if (batch.length === 0) return;
    try {
      await this.insert(batch);
      for (const record of batch) {
        this.waiting.delete(record.id);
        this.waitingBytes -= sizeOf(record);
      }
      predictionsLogged.inc(batch.length);
    } catch (error) {
      predictionLogFailures.inc();
      this.logger.error(
        { event: "inference_log.failed", err: error, count: batch.length },
        "predictions were not logged yet",
      );
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  private nextBatch(): WaitingRecord[] {
    const batch: WaitingRecord[] = [];
    let bytes = 0;
    for (const record of this.waiting.values()) {
      if (batch.length >= BATCH_ROWS || bytes >= BATCH_BYTES) break;
      batch.push(record);
      bytes += sizeOf(record);
    }
    return batch;
  }

  private async insert(batch: readonly WaitingRecord[]): Promise<void> {
    const column = <T>(of: (record: WaitingRecord) => T): T[] => batch.map(of);
    await this.database.dataSource.manager.query(
      `INSERT INTO inference_records (id, kind, version_id, caller, at, latency_ms, inputs, outputs)
       SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::timestamptz[], $6::float8[],
         $7::json[], $8::json[])
       ON CONFLICT DO NOTHING`,
      [
        column(({ id }) => id),
        column(({ kind }) => kind),
        column(({ versionId }) => versionId),
        column(({ caller }) => caller),
        column(({ at }) => at.toISOString()),
        column(({ latencyMs }) => latencyMs),
        column(({ inputs }) => inputs),
        column(({ outputs }) => outputs),
      ],
    );
  }

  private keep(value: unknown): string | null {
    if (value == null || leastBytes(value, this.valueBytes) > this.valueBytes) return null;
    const json = JSON.stringify(value);
    return Buffer.byteLength(json) <= this.valueBytes ? json : null;
  }
}

function parse(json: string | null): unknown {
  return json === null ? null : JSON.parse(json);
}

function sizeOf({ inputs, outputs }: WaitingRecord): number {
  return (inputs?.length ?? 0) + (outputs?.length ?? 0);
}

/**
 * Bytes that a value's JSON has at least, counted no further than the limit: 66,000 numbers take 4 ms to turn
 * into text, which a tensor that is not kept need not cost.
 */
function leastBytes(value: unknown, limit: number): number {
  if (typeof value === "string") return value.length + 2;
  if (typeof value !== "object" || value === null) return 1;
  let bytes = 2;
  for (const item of Array.isArray(value) ? (value as unknown[]) : Object.values(value)) {
    bytes += leastBytes(item, limit - bytes) + 1;
    if (bytes > limit) break;
  }
  return bytes;
}
