import type { ModelSignature, ModelSource } from "../../ports/inference-runtime.js";
import type { ModelRow } from "./model.entity.js";
import type { ModelVersionRow } from "./model-version.entity.js";

/** A version with all that serving it needs. */
export interface ServedVersion {
  model: ModelRow;
  version: ModelVersionRow;
  signature: ModelSignature;
  source: ModelSource;
}
