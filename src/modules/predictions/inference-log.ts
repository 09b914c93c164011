import type { Database } from "../../ports/database.js";
import type { Logger } from "../../telemetry/logger.js";
import { predictionsLogged } from "../../telemetry/metrics.js";
import { InferenceRecord } from "./inference-record.entity.js";

/** Longest that a record waits in memory: what a crash can lose. */
const FLUSH_MS = 250;
const BATCH_ROWS = 500;
const MOST_WAITING = 20_000;
const RETRY_MS = 1_000;

/**
 * Writes inference records behind the answers, in batches. The buffer is bounded: when the database
 * cannot keep up, callers of `append` wait for it rather than records being dropped.
 */
export class InferenceLog {
  private waiting = new Map<string, InferenceRecord>();
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
    while (this.waiting.size >= MOST_WAITING) await this.flush();
    this.waiting.set(record.id, record);
    if (this.waiting.size >= BATCH_ROWS) void this.flush();
    else this.timer ??= setTimeout(() => void this.flush(), FLUSH_MS);
  }

  async find(id: string, kind: InferenceRecord["kind"]): Promise<InferenceRecord | undefined> {
    const buffered = this.waiting.get(id);
    if (buffered?.kind === kind) {
      const [inputs, outputs] = [this.keep(buffered.inputs), this.keep(buffered.outputs)];
      return { ...buffered, inputs: parse(inputs), outputs: parse(outputs) };
    }
    return (await this.database.dataSource.manager.findOneBy(InferenceRecord, { id, kind })) ?? undefined;
  }

  async close(): Promise<void> {
    while (this.waiting.size > 0) await this.flush();
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
    const batch = [...this.waiting.values()].slice(0, BATCH_ROWS);
    if (batch.length === 0) return;
    try {
      await this.insert(batch);
      for (const { id } of batch) this.waiting.delete(id);
      predictionsLogged.inc(batch.length);
    } catch (error) {
      this.logger.error(
        { event: "inference_log.failed", err: error, count: batch.length },
        "predictions were not logged yet",
      );
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  private async insert(batch: readonly InferenceRecord[]): Promise<void> {
    const column = <T>(of: (record: InferenceRecord) => T): T[] => batch.map(of);
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
        column(({ inputs }) => this.keep(inputs)),
        column(({ outputs }) => this.keep(outputs)),
      ],
    );
  }

  private keep(value: unknown): string | null {
    if (value == null) return null;
    const json = JSON.stringify(value);
    return Buffer.byteLength(json) <= this.valueBytes ? json : null;
  }
}

function parse(json: string | null): unknown {
  return json === null ? null : JSON.parse(json);
}
