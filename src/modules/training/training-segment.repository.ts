import type { Transaction } from "../../ports/database.js";
import type { SegmentForecasts } from "./forecasting/backtest-segments.rules.js";
import { TrainingSegmentRow } from "./training-segment.entity.js";

/** Segments of runs that ended without success are kept for as long, to be tried again. */
const KEPT_DAYS = 7;

/** The computed parts of backtests. */
export class TrainingSegmentRepository {
  constructor(private readonly tx: Transaction) {}

  async insert(
    runId: string,
    segment: number,
    dataSha256: string,
    { from, to, values }: SegmentForecasts,
  ): Promise<void> {
    const forecasts = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
    const row = { runId, segment, dataSha256, from, to, forecasts };
    await this.tx.upsert(TrainingSegmentRow, row, ["runId", "segment"]);
  }

  exists(runId: string, segment: number): Promise<boolean> {
    return this.tx.existsBy(TrainingSegmentRow, { runId, segment });
  }

  async of(runId: string): Promise<(SegmentForecasts & { dataSha256: string })[]> {
    const rows = await this.tx.find(TrainingSegmentRow, { where: { runId }, order: { segment: "ASC" } });
    return rows.map(({ dataSha256, from, to, forecasts }) => ({
      dataSha256,
      from,
      to,
      // Of their own memory, where they are aligned as numbers must be.
      values: new Float64Array(Uint8Array.from(forecasts).buffer),
    }));
  }

  async delete(runId: string): Promise<void> {
    await this.tx.delete(TrainingSegmentRow, { runId });
  }

  /** Forgets those of runs that nobody has tried again, or that are gone. */
  async trim(): Promise<void> {
    await this.tx.query(
      `DELETE FROM training_segments WHERE run_id NOT IN (SELECT id FROM training_runs
         WHERE finished_at IS NULL OR finished_at > now() - make_interval(days => $1))`,
      [KEPT_DAYS],
    );
  }
}
