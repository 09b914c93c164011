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

export const trainingEntities = [TrainingRunRow];

export interface TrainingModule {
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
  const training = new TrainingService(database, curves.curves, models.registry, operations.jobs);
  operations.jobs.register(trainForecasterJob, training.jobHooks());
  return {
    training,
    resolvers: [
      new TrainingResolver(training, models.registry, curves.curves),
      new VersionTrainingResolver(training),
    ],
    nodeSources: [
      {
        type: "TrainingRun",
        permission: "training:read",
        find: async (id) => {
          const row = await training.find(id);
          return row ? new TrainingRunType(row) : undefined;
        },
      },
    ],
  };
}

export { trainForecasterJob } from "./training.jobs.js";
export { TrainingService } from "./training.service.js";
