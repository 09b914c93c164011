import type { CollectionOperations } from "./collection-operations.js";
import type { KeyOperations } from "./key-operations.js";
import type { Connection, Operation } from "./operation.js";
import type { UpkeepOperations } from "./upkeep-operations.js";

export type { Connection } from "./operation.js";

/** Variables and answers of the documents in `schema/operations`, by file name. */
export interface GraphOperations extends CollectionOperations, KeyOperations, UpkeepOperations {
  model: Operation<{ name: string }, { model: ModelStages | null }>;
  models: Operation<
    { first: number; kind?: string },
    { models: Connection<ModelStages & { createdAt: string; versions: { totalCount: number } }> }
  >;
  "model-history": Operation<{ name: string; first: number }, { model: ModelHistory | null }>;
  "model-versions": Operation<
    { name: string; first: number; after?: string },
    { model: { versions: Connection<VersionState> } | null }
  >;
  "model-version": Operation<
    { model: string; number: number },
    { model: { version: ModelVersion | null } | null }
  >;
  "imported-versions": Operation<
    { name: string; first: number; after?: string },
    { model: ImportedModel | null }
  >;
  "model-transitions": Operation<
    { name: string; first: number; after?: string },
    {
      model: {
        transitions: Connection<{ version: { number: number }; retired: { number: number } | null }>;
      } | null;
    }
  >;
  "register-model": Operation<
    { input: ModelRegistration },
    { registerModel: { model: { name: string; kind: string } } }
  >;
  "create-model-version": Operation<
    { input: NewVersion },
    { createModelVersion: { version: { number: number }; upload: Upload; fileUploads: Upload[] } }
  >;
  "complete-model-version": Operation<
    { input: { model: string; number: number } },
    { completeModelVersion: { version: { number: number; status: string } } }
  >;
  "promote-model-version": Operation<
    {
      input: { model: string; number: number; stage: string; reason?: string; expectedCurrent?: number };
    },
    { promoteModelVersion: { transition: StageTransition; pending: boolean } }
  >;
  "rollback-model": Operation<
    { input: { model: string; reason?: string; expectedCurrent?: number } },
    { rollbackModel: { transition: StageTransition; pending: boolean } }
  >;
  predict: Operation<
    { input: PredictInput },
    { predict: { id: string; at: string; version: { number: number }; outputs: Tensor[] } }
  >;
  curve: Operation<{ name: string }, { curve: Curve | null }>;
  curves: Operation<
    { first: number; after?: string },
    { curves: Connection<{ name: string; kind: CurveKind }> }
  >;
  "curve-snapshots": Operation<
    { name: string; from?: string; to?: string; first: number },
    { curve: { unit: string; snapshots: Connection<CurveSnapshot> } | null }
  >;
  "define-curve": Operation<
    { input: { name: string; kind: CurveKind; unit: string; tenors: string[] } },
    { defineCurve: { curve: Omit<Curve, "latest" | "snapshots"> } }
  >;
  "record-curve": Operation<
    { input: { curve: string; snapshots: CurveSnapshot[] } },
    { recordCurve: { created: number; replaced: number; unchanged: number } }
  >;
  "start-training": Operation<
    { input: StartTrainingInput },
    { startTraining: { run: { id: string; status: RunStatus }; cursor: string } }
  >;
  "train-embedder": Operation<
    { input: TrainEmbedderInput },
    { trainEmbedder: { run: { id: string; status: RunStatus }; cursor: string } }
  >;
  "cancel-training": Operation<
    { input: { run: string } },
    { cancelTraining: { run: { id: string; status: RunStatus } } }
  >;
  "training-run": Operation<{ id: string }, { trainingRun: TrainingRun | null }>;
  "training-runs": Operation<
    { first: number; model?: string },
    { trainingRuns: Connection<TrainingRunSummary> }
  >;
  "training-events": Operation<{ run: string; after?: string }, { trainingEvents: TrainingEvent }>;
  forecast: Operation<
    {
      input: { curve: string; model?: string; asOf?: string; horizons?: number[]; version?: VersionSelector };
    },
    { forecast: CurveForecast }
  >;
  job: Operation<{ id: string }, { job: Job | null }>;
  jobs: Operation<{ first: number; kind?: string; state?: string }, { jobs: Connection<Job> }>;
  "retry-job": Operation<{ input: { job: string } }, { retryJob: { job: Pick<Job, "id" | "state"> } }>;
  "cancel-job": Operation<{ input: { job: string } }, { cancelJob: { job: Pick<Job, "id" | "state"> } }>;
}

export type OperationName = keyof GraphOperations;
export type Variables<N extends OperationName> = GraphOperations[N]["variables"];
export type Answer<N extends OperationName> = GraphOperations[N]["answer"];

export type CurveKind = "YIELD" | "FORWARD";
export type RunStatus = "QUEUED" | "RUNNING" | "SUCCEEDED" | "FAILED" | "CANCELLED";

export interface ModelStages {
  name: string;
  kind: string;
  production: { number: number } | null;
  staging: { number: number } | null;
}

export interface ModelHistory extends ModelStages {
  description: string | null;
  createdAt: string;
  versions: Connection<VersionSummary>;
  transitions: Connection<StageTransition>;
}

export interface VersionState {
  number: number;
  stage: string;
  status: "PENDING" | "READY" | "REJECTED";
}

export type ModelKind = "TENSOR" | "CURVE_FORECASTER" | "TEXT_EMBEDDER";
export type Pooling = "MEAN" | "CLS" | "LAST" | "NONE";

export interface EmbedderInput {
  pooling: Pooling;
  normalize?: boolean;
  queryPrefix?: string;
  passagePrefix?: string;
  maxTokens?: number;
  dimensions?: number;
}

export interface ImportedVersion extends VersionState {
  parameters: { name: string; value: string }[];
  rejection: string | null;
}

export interface ImportedModel {
  kind: ModelKind;
  production: { number: number } | null;
  staging: { number: number } | null;
  pendingPromotion: { version: { number: number } } | null;
  versions: Connection<ImportedVersion>;
}

export interface ModelRegistration {
  name: string;
  kind: ModelKind;
  description?: string;
  tags?: { name: string; value: string }[];
}

export interface VersionSummary extends VersionState {
  rejection: string | null;
  createdAt: string;
  createdBy: string;
  metrics: { name: string; value: number }[];
}

export interface ModelVersion extends VersionState {
  rejection: string | null;
  artifact: { sha256: string; bytes: number | string } | null;
  signature: { inputs: TensorSpec[]; outputs: TensorSpec[] } | null;
  /** TEXT_EMBEDDER, READY: what was settled. */
  embedder: Required<EmbedderInput> | null;
}

export interface TensorSpec {
  name: string;
  type: string;
  shape: (number | null)[];
}

export interface NewVersion {
  model: string;
  sha256: string;
  bytes: number;
  metrics: { name: string; value: number }[];
  parameters: { name: string; value: string }[];
  files: { name: string; sha256: string; bytes: number }[];
  embedder?: EmbedderInput;
  idempotencyKey?: string;
}

export interface Upload {
  method: string;
  url: string;
  headers: { name: string; value: string }[];
}

export interface StageTransition {
  kind: "PROMOTION" | "ROLLBACK";
  version: { number: number };
  from: string;
  to: string;
  retired: { number: number } | null;
  actor: string;
  reason: string | null;
  at: string;
}

export interface VersionSelector {
  number?: number;
  stage?: string;
}

export interface TensorInput {
  name: string;
  shape?: number[];
  values?: unknown;
  base64?: string;
}

export interface PredictInput {
  model: string;
  version?: VersionSelector;
  inputs: TensorInput[];
  outputs?: string[];
  encoding?: string;
}

export interface Tensor {
  name: string;
  type: string;
  shape: number[];
  values: unknown;
  base64: string | null;
}

export interface Curve {
  name: string;
  kind: CurveKind;
  unit: string;
  tenors: string[];
  latest: { date: string } | null;
  snapshots: { totalCount: number };
}

export interface CurveSnapshot {
  date: string;
  points: { tenor: string; value: number | null }[];
}

export interface StartTrainingInput {
  model: string;
  curve: string;
  type: string;
  horizons?: number[];
  from?: string;
  to?: string;
  backtestFrom?: string;
  refitEvery?: number;
  coverage?: number;
  options?: Record<string, unknown>;
  seed?: number;
}

export interface TrainEmbedderInput {
  model: string;
  collection: string;
  dimensions?: number;
  seed?: number;
}

export interface TrainingRunSummary {
  id: string;
  status: RunStatus;
  progress: number;
  error: string | null;
  model: { name: string };
  curve: { name: string } | null;
  collection: { name: string } | null;
  version: { number: number } | null;
  createdBy: string;
  createdAt: string;
  finishedAt: string | null;
}

export interface TrainingRun extends TrainingRunSummary {
  version: { number: number; stage: string } | null;
  dataSha256: string | null;
  parameters: { name: string; value: string }[];
  metrics: { name: string; value: number }[];
  backtest: Backtest | null;
  startedAt: string | null;
}

export interface Backtest {
  origins: number;
  scores: BacktestScore[];
}

export interface BacktestScore {
  horizon: number;
  tenor: string;
  rmse: number;
  mae: number;
  relativeToRandomWalk: number | null;
  coverage: number;
}

export interface TrainingEvent {
  cursor: string;
  at: string;
  status: RunStatus;
  progress: number;
  message: string;
}

export interface CurveForecast {
  id: string;
  asOf: string;
  coverage: number;
  curve: { name: string; unit: string };
  version: { number: number };
  horizons: { horizon: number; date: string; points: ForecastPoint[] }[];
}

export interface ForecastPoint {
  tenor: string;
  mean: number;
  lower: number;
  upper: number;
}

export interface Job {
  id: string;
  kind: string;
  state: string;
  progress: number;
  attempts: number;
  error: string | null;
  /** Told of a single job only. */
  result?: Record<string, unknown> | null;
  createdAt: string;
  finishedAt: string | null;
}
