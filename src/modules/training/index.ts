import type { Database } from "../../ports/database.js";
import type { CurvesModule } from "../curves/index.js";
import type { NodeSource } from "../graph/index.js";
import type { ModelsModule } from "../models/index.js";
import type { OperationsModule } from "../operations/index.js";
import { trainForecasterJob } from "./training.jobs.js";
import { TrainingResolver, VersionTrainingResolver } from "./training.resolver.js";
import { TrainingService } from "./training.service.js";
import { TrainingRunType } from "./training.types.js";
import { TrainingRunRow } from "./training-run.entity.js";
import { TrainingRuns } from "./training-runs.js";

export const trainingEntities = [TrainingRunRow];

export interface TrainingModule {
  runs: TrainingRuns;
  training: TrainingService;
  resolvers: object[];
  nodeSources: NodeSource[];
}

export function createTrainingModule(
  database: Database,
  operations: OperationsModule,
  models: ModelsModule,
  curves: CurvesModule,
): TrainingModule {
  const runs = new TrainingRuns(database, models.registry, operations.jobs);
  runs.register(trainForecasterJob);
  const training = new TrainingService(runs, curves.curves);
  return {
    runs,
    training,
    resolvers: [
      new TrainingResolver(training, runs, models.registry, curves.curves),
      new VersionTrainingResolver(runs),
    ],
    nodeSources: [
      {
        type: "TrainingRun",
        permission: "training:read",
        find: async (id) => {
          const row = await runs.find(id);
          return row ? new TrainingRunType(row) : undefined;
        },
      },
    ],
  };
}

export { trainForecasterJob } from "./training.jobs.js";
export type { OnProgress } from "./training-attempt.js";
export { TrainingRuns } from "./training-runs.js";
export type { StartedRun } from "./training-runs.js";
export { TrainingRunPayload, TrainingRunType } from "./training.types.js";
export { TrainingService } from "./training.service.js";
