import type { Permission } from "./roles.rules.js";

/**
 * What reading an object of each type asks for, wherever it is come upon: by its own query, as a node, or through
 * another object. `part`: it shows nothing beyond what the object or operation does that it is part of.
 */
export const READ_PERMISSIONS: Readonly<Record<string, Permission | "part">> = {
  Model: "model:read",
  ModelVersion: "model:read",
  StageTransition: "model:read",
  Signature: "model:read",
  TensorSpec: "model:read",
  Embedder: "model:read",
  // Its resolver answers null to those who may not download.
  Artifact: "model:read",
  ArtifactFile: "model:read",
  Prediction: "model:predict",
  Tensor: "model:predict",
  Curve: "curve:read",
  CurveSnapshot: "curve:read",
  CurvePoint: "curve:read",
  CurveForecast: "curve:forecast",
  ForecastHorizon: "curve:forecast",
  ForecastPoint: "curve:forecast",
  TrainingRun: "training:read",
  Backtest: "training:read",
  BacktestScore: "training:read",
  Collection: "collection:read",
  Document: "collection:read",
  Search: "collection:search",
  SearchPlan: "collection:search",
  Facet: "collection:search",
  FacetValue: "collection:search",
  EmbedResult: "text:embed",
  Embedding: "text:embed",
  Job: "job:read",
  Backup: "upkeep:read",
  AuditEntry: "audit:read",
  AuditVerification: "audit:read",
  AuditFinding: "audit:read",
  ApiKey: "key:manage",
  TrainingEvent: "training:read",
  PromotionEvent: "model:read",
  JobEvent: "job:read",
  Query: "part",
  Mutation: "part",
  Subscription: "part",
  Caller: "part",
  Grant: "part",
  PageInfo: "part",
  Metric: "part",
  Parameter: "part",
  Tag: "part",
  Upload: "part",
  RegisterModelPayload: "part",
  CreateModelVersionPayload: "part",
  ModelVersionPayload: "part",
  StageTransitionPayload: "part",
  CurvePayload: "part",
  RecordCurvePayload: "part",
  TrainingRunPayload: "part",
  CollectionPayload: "part",
  IngestDocumentsPayload: "part",
  DeleteDocumentsPayload: "part",
  JobPayload: "part",
  CreateApiKeyPayload: "part",
  ApiKeyPayload: "part",
};

/**
 * Of an object type; a connection and its edges are like what they list.
 * @returns undefined where nobody has decided
 */
export function readPermissionOf(type: string): Permission | "part" | undefined {
  return READ_PERMISSIONS[type] ?? READ_PERMISSIONS[type.replace(/(Connection|Edge)$/, "")];
}
