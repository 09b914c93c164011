import type { Database } from "../../ports/database.js";
import { UnrecoverableJobError } from "../../ports/job-queue.js";
import { failpoint } from "../../shared/failpoint.js";
import type { CurveService } from "../curves/index.js";
import type { JobRun, JobService } from "../operations/index.js";
import type { SegmentForecasts } from "./forecasting/backtest-segments.rules.js";
import { curveHistoryDigest } from "./forecasting/curve-history-digest.rules.js";
import type { CurveHistory, TrainingSpec } from "./forecasting/forecaster.types.js";
import { forecastSegmentInThread } from "./forecasting/train-in-thread.js";
import type { TrainingRunRow } from "./training-run.entity.js";
import type { TrainingRuns } from "./training-runs.js";
import { TrainingSegmentRepository } from "./training-segment.repository.js";

/** The parts of large backtests: each is computed by a job of its own, and none twice. */
export class BacktestSegmentService {
  constructor(
    private readonly database: Database,
    private readonly runs: TrainingRuns,
    private readonly curves: CurveService,
    private readonly jobs: JobService,
  ) {}

  /** The job: computes a segment in a thread and keeps it for the run's own job. */
  async execute({ run: runId, segment, of }: { run: string; segment: number; of: number }, job: JobRun) {
    const attempt = await this.runs.attempt(runId, job);
    if (!attempt || (await this.stored().exists(runId, segment))) return undefined;
    const { run } = attempt;
    const history = await this.historyOf(run);
    const dataSha256 = curveHistoryDigest(history);
    await attempt.join(dataSha256);
    const { signal } = job;
    const onProgress = (fraction: number) => void job.report(fraction).catch(() => undefined);
    const part = { segment, of };
    const spec = run.spec as TrainingSpec;
    const forecasts = await forecastSegmentInThread(history, spec, part, { signal, onProgress });
    await this.database.transaction(async (tx) => {
      await this.jobs.assertHeld(tx, job);
      await new TrainingSegmentRepository(tx).insert(runId, segment, dataSha256, forecasts);
      failpoint("segment.written");
    });
    failpoint("segment.committed");
    return { from: history.dates[forecasts.from], to: history.dates[forecasts.to] };
  }

  /** The numbers that a run learns from: those that were known when it was asked for. */
  async historyOf(run: TrainingRunRow): Promise<CurveHistory> {
    const [curve] = await this.curves.byIds([run.curveId!]);
    if (!curve || curve instanceof Error) throw new UnrecoverableJobError("its curve is gone");
    // Its clock has milliseconds, the recordings' microseconds: the next millisecond misses none before it.
    return this.curves.history(curve, { knownAt: new Date(run.createdAt.getTime() + 1) });
  }

  /**
   * What the run's other jobs have computed; undefined where it has none.
   * @throws {Error} when one of them saw other numbers
   */
  async recordedOf(runId: string, dataSha256: string): Promise<SegmentForecasts[] | undefined> {
    const stored = await this.stored().of(runId);
    const stranger = stored.find((segment) => segment.dataSha256 !== dataSha256);
    if (stranger) {
      throw new Error(`the segment from origin ${stranger.from} was computed from another history`);
    }
    return stored.length === 0 ? undefined : stored;
  }

  /** Forgets the segments of runs that have ended long ago. */
  trim(): Promise<void> {
    return this.stored().trim();
  }

  private stored(): TrainingSegmentRepository {
    return new TrainingSegmentRepository(this.database.dataSource.manager);
  }
}
