import { InvalidInputError } from "../../shared/errors.js";
import type { CurveService } from "../curves/index.js";
import { assertGranted } from "../identity/index.js";
import type { Caller } from "../identity/index.js";
import { assertModelName } from "../models/index.js";
import { CHILDREN_SHARE } from "../operations/index.js";
import type { JobRun } from "../operations/index.js";
import type { BacktestSegmentService } from "./backtest-segment.service.js";
import { countSegments } from "./forecasting/backtest-segments.rules.js";
import { curveHistoryDigest } from "./forecasting/curve-history-digest.rules.js";
import type { ForecasterType, TrainingSpec } from "./forecasting/forecaster.types.js";
import { trainInThread } from "./forecasting/train-in-thread.js";
import { checkTrainingSpec } from "./forecasting/training-spec.rules.js";
import { backtestSegmentJob, trainForecasterJob } from "./training.jobs.js";
import type { StartedRun, TrainingRuns } from "./training-runs.js";

export interface TrainingRequest {
  model: string;
  curve: string;
  type: ForecasterType;
  horizons?: number[] | null;
  from?: string | null;
  to?: string | null;
  backtestFrom?: string | null;
  refitEvery?: number | null;
  coverage?: number | null;
  options?: unknown;
  seed?: number | null;
  idempotencyKey?: string | null;
}

/** Trains forecasters: from the request, through a job in a thread of its own, to a registered version. */
export class TrainingService {
  constructor(
    private readonly runs: TrainingRuns,
    private readonly curves: CurveService,
    private readonly segments: BacktestSegmentService,
    private readonly segmentMs: number,
  ) {}

  /** Checks everything that can be checked before, then queues the run. */
  async start(request: TrainingRequest, caller: Caller): Promise<StartedRun> {
    const { model, idempotencyKey } = request;
    assertModelName(model, "input.model");
    assertGranted(caller, "training:start", { model });
    const curve = await this.curves.require(request.curve, "input.curve");
    const spec = toSpec(request);
    const history = await this.curves.history(curve, {});
    const count = countSegments(spec, history, checkTrainingSpec(spec, history), this.segmentMs);
    return this.runs.start(
      {
        ...{ operation: "startTraining", body: { model, curve: curve.name, ...spec }, idempotencyKey },
        ...{ model, kind: "CURVE_FORECASTER", job: trainForecasterJob, source: { curveId: curve.id }, spec },
        ...(count > 1 ? { parts: { job: backtestSegmentJob, count } } : {}),
      },
      caller,
    );
  }

  /** The job: trains in a thread and publishes what comes of it. */
  async execute(runId: string, job: JobRun): Promise<{ version: number } | undefined> {
    const attempt = await this.runs.attempt(runId, job);
    if (!attempt) return undefined;
    const { run } = attempt;
    const history = await this.segments.historyOf(run);
    const dataSha256 = curveHistoryDigest(history);
    const recorded = await this.segments.recordedOf(run.id, dataSha256);
    await (recorded ? attempt.join(dataSha256) : attempt.begin(dataSha256));
    const { artifact, ...trained } = await attempt.reporting(
      (onProgress) =>
        trainInThread(history, run.spec as TrainingSpec, { signal: job.signal, onProgress, recorded }),
      recorded ? CHILDREN_SHARE : 0,
    );
    return { version: await attempt.succeed({ artifact: { graph: artifact }, ...trained }) };
  }
}

/** An explicit null means the same as an absent argument. */
function toSpec(request: TrainingRequest): TrainingSpec {
  const options = request.options ?? {};
  if (typeof options !== "object" || Array.isArray(options)) {
    throw InvalidInputError.at("input.options", 'must be an object such as {"decay": 0.0609}');
  }
  return {
    type: request.type,
    horizons: request.horizons ?? [1, 5, 21, 63],
    from: request.from ?? undefined,
    to: request.to ?? undefined,
    backtestFrom: request.backtestFrom ?? undefined,
    refitEvery: request.refitEvery ?? 21,
    coverage: request.coverage ?? 0.9,
    options: options as Record<string, unknown>,
    seed: request.seed ?? 254,
  };
}
