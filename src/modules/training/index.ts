import type { Database } from "../../ports/database.js";
import type { CurvesModule } from "../curves/index.js";
import type { NodeSource } from "../graph/index.js";
import type { ModelsModule } from "../models/index.js";
import type { OperationsModule } from "../operations/index.js";
import { BacktestSegmentService } from "./backtest-segment.service.js";
import { backtestSegmentJob, trainForecasterJob } from "./training.jobs.js";
import { TrainingResolver, VersionTrainingResolver } from "./training.resolver.js";
import { TrainingService } from "./training.service.js";
import { TrainingRunType } from "./training.types.js";
import { TrainingRunRow } from "./training-run.entity.js";
import { TrainingRuns } from "./training-runs.js";
import { TrainingSegmentRow } from "./training-segment.entity.js";

export const trainingEntities = [TrainingRunRow, TrainingSegmentRow];

export interface TrainingModule {
  runs: TrainingRuns;
  segments: BacktestSegmentService;
  training: TrainingService;
  resolvers: object[];
  nodeSources: NodeSource[];
}

export function createTrainingModule(
  database: Database,
  operations: OperationsModule,
  models: ModelsModule,
  curves: CurvesModule,
  segmentMs: number,
): TrainingModule {
  const runs = new TrainingRuns(database, models.registry, operations.jobs);
  runs.register(trainForecasterJob, backtestSegmentJob);
  const segments = new BacktestSegmentService(database, runs, curves.curves, operations.jobs);
  const training = new TrainingService(runs, curves.curves, segments, segmentMs);
  return {
    runs,
    segments,
    training,
    resolvers: [
      new TrainingResolver(training, runs, models.registry, curves.curves),
      new VersionTrainingResolver(runs),
    ],
    nodeSources: [
      {
        type: "TrainingRun",
        find: async (id) => {
          const row = await runs.find(id);
          return row ? new TrainingRunType(row) : undefined;
        },
      },
    ],
  };
}

export { backtestSegmentJob, trainForecasterJob } from "./training.jobs.js";
export type { OnProgress } from "./training-attempt.js";
export { TrainingRuns } from "./training-runs.js";
export type { StartedRun } from "./training-runs.js";
export { TrainingRunPayload, TrainingRunType } from "./training.types.js";
export { TrainingService } from "./training.service.js";
