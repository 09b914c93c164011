import type { InferenceRuntime } from "../../ports/inference-runtime.js";
import type { AnswerStore } from "../caching/index.js";
import type { NodeSource } from "../graph/index.js";
import type { ModelsModule } from "../models/index.js";
import type { EmbedLimits } from "./embed-input.rules.js";
import { embedderCheck } from "./embedder-validation.js";
import { EmbeddingResolver } from "./embedding.resolver.js";
import { EmbeddingService } from "./embedding.service.js";

export interface EmbeddingsModule {
  embeddings: EmbeddingService;
  resolvers: object[];
  nodeSources: NodeSource[];
}

export interface EmbeddingsModuleOptions {
  runtime: InferenceRuntime;
  models: ModelsModule;
  limits: EmbedLimits;
  /** Keeps vectors. */
  vectors: AnswerStore;
}

/** Embeds texts, and lets versions of TEXT_EMBEDDER models be validated as such. */
export function createEmbeddingsModule(options: EmbeddingsModuleOptions): EmbeddingsModule {
  const { runtime, models, limits, vectors } = options;
  models.registry.addVersionCheck("TEXT_EMBEDDER", embedderCheck(runtime));
  const embeddings = new EmbeddingService(runtime, vectors);
  return {
    embeddings,
    resolvers: [new EmbeddingResolver(embeddings, models.registry, models.served, limits)],
    nodeSources: [],
  };
}

export { EmbeddingService } from "./embedding.service.js";
export type { EmbedOptions, SplitOptions, TextRole } from "./embedding.service.js";
export type { TextEmbedding } from "./embedding-cache.js";
export type { Passage } from "./passages.rules.js";
export type { PassageSource } from "./tokenizer-task.rules.js";
export {
  DIMENSIONS as TRAINED_DIMENSIONS,
  trainEmbedderInThread,
} from "./training/train-embedder-in-thread.js";
