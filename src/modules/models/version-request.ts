import type { ModelSignature } from "../../ports/inference-runtime.js";
import type { EmbedderOptions, EmbedderRequest } from "../../shared/embedder-options.js";
import type { EmbedderInputValues } from "./embedder-input.rules.js";
import type { ModelKind, ModelRow } from "./model.entity.js";
import type { ArtifactFileRecord } from "./model-version.entity.js";

export interface ModelRegistration {
  name: string;
  kind: ModelKind;
  description?: string | null;
  tags?: { name: string; value: string }[] | null;
}

export interface VersionRequest {
  model: string;
  sha256: string;
  bytes: number;
  metrics?: { name: string; value: number }[] | null;
  parameters?: { name: string; value: string }[] | null;
  files?: ArtifactFileRecord[] | null;
  embedder?: EmbedderInputValues | null;
  idempotencyKey?: string | null;
}

/** What the platform made itself, to be stored. */
export interface TrainedArtifact {
  kind: ModelKind;
  graph: Uint8Array;
  /** Files beside the graph. */
  files?: { name: string; content: Uint8Array }[];
  /** TEXT_EMBEDDER: how the graph is meant to be used. */
  embedder?: EmbedderRequest;
}

export interface StoredArtifact {
  sha256: string;
  bytes: number;
  files: ArtifactFileRecord[];
}

/** A version that the platform made itself, its artifact stored and validated by `storeTrained`. */
export interface TrainedVersion {
  model: ModelRow;
  artifact: StoredArtifact;
  signature: ModelSignature;
  embedder: EmbedderOptions | null;
  metrics: { name: string; value: number }[];
  parameters: { name: string; value: string }[];
  trainingRunId: string;
  curveId: string | null;
  createdBy: string;
}
