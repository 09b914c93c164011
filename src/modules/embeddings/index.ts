import type { InferenceRuntime } from "../../ports/inference-runtime.js";
import type { ModelsModule } from "../models/index.js";
import { embedderCheck } from "./embedder-validation.js";

export interface EmbeddingsModuleOptions {
  runtime: InferenceRuntime;
  models: ModelsModule;
}

/** Lets versions of TEXT_EMBEDDER models be validated as such. */
export function createEmbeddingsModule({ runtime, models }: EmbeddingsModuleOptions): void {
  models.registry.addVersionCheck("TEXT_EMBEDDER", embedderCheck(runtime));
}
