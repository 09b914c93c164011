import type { Database } from "../../ports/database.js";
import type { InferenceRuntime } from "../../ports/inference-runtime.js";
import type { Logger } from "../../telemetry/logger.js";
import type { AnswerStore } from "../caching/index.js";
import type { CurvesModule } from "../curves/index.js";
import type { NodeSource } from "../graph/index.js";
import { isGranted } from "../identity/index.js";
import type { Narrowable, RequestContext } from "../identity/index.js";
import { modelLoader, versionLoader } from "../models/index.js";
import type { ModelsModule } from "../models/index.js";
import type { PartitionedTable } from "../operations/index.js";
import { ForecastService } from "./forecast.service.js";
import { InferenceLog } from "./inference-log.js";
import { InferenceRecord } from "./inference-record.entity.js";
import { ForecastResolver, PredictionResolver } from "./prediction.resolver.js";
import { PredictionService } from "./prediction.service.js";
import { CurveForecastType, PredictionType } from "./prediction.types.js";
import type { TensorLimits } from "./tensor-shape.rules.js";

export const predictionEntities = [InferenceRecord];

/** @param keepDays how long predictions can be looked up */
export const predictionPartitions = (keepDays: number): PartitionedTable => ({
  table: "inference_records",
  column: "at",
  span: "month",
  ahead: 2,
  keepDays,
});

export interface PredictionsModule {
  predictions: PredictionService;
  forecasts: ForecastService;
  log: InferenceLog;
  resolvers: object[];
  nodeSources: NodeSource[];
}

export interface PredictionsModuleOptions {
  database: Database;
  runtime: InferenceRuntime;
  models: ModelsModule;
  curves: CurvesModule;
  answers: AnswerStore;
  logger: Logger;
  tensorLimits: TensorLimits;
  /** Inputs and outputs beyond this size are not kept with a prediction. */
  logValueBytes: number;
}

export function createPredictionsModule(options: PredictionsModuleOptions): PredictionsModule {
  const { database, runtime, models, curves } = options;
  const log = new InferenceLog(database, options.logger, options.logValueBytes);
  const predictions = new PredictionService(models.served, runtime, log, options.tensorLimits);
  const forecasts = new ForecastService(curves.curves, models.served, runtime, log, options.answers);
  /** What a caller could not have asked of the version is not read back, either. */
  const isReadable = async (permission: Narrowable, versionId: string, context: RequestContext) => {
    const { grants } = context.caller;
    if (grants === undefined) return true;
    const { modelId, stage } = await versionLoader(context, models.registry).load(versionId);
    const { name: model } = await modelLoader(context, models.registry).load(modelId);
    return isGranted(grants, permission, { model, stage });
  };
  return {
    predictions,
    forecasts,
    log,
    resolvers: [
      new PredictionResolver(predictions, models.registry),
      new ForecastResolver(forecasts, models.registry, curves.curves),
    ],
    nodeSources: [
      {
        type: "Prediction",
        find: async (id, context) => {
          const value = await predictions.find(id);
          const readable = value && (await isReadable("model:predict", value.versionId, context));
          return readable ? new PredictionType(value) : undefined;
        },
      },
      {
        type: "CurveForecast",
        find: async (id, context) => {
          const value = await forecasts.find(id);
          const readable = value && (await isReadable("curve:forecast", value.versionId, context));
          return readable ? new CurveForecastType(value) : undefined;
        },
      },
    ],
  };
}

export { ForecastService } from "./forecast.service.js";
export { PredictionService } from "./prediction.service.js";
