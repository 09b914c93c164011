import { validateModelVersionJob } from "../src/modules/models/index.js";
import {
  embedDocumentsJob,
  indexVectorsJob,
  reindexCollectionJob,
  reindexPartJob,
  trainEmbedderJob,
} from "../src/modules/search/index.js";
import { backtestSegmentJob, trainForecasterJob } from "../src/modules/training/index.js";
import { upkeepDefinitions } from "../src/modules/upkeep/index.js";

/** Every job of the platform, by its name. */
export const jobCatalogue = {
  "validate-model-version": validateModelVersionJob,
  "train-forecaster": trainForecasterJob,
  "backtest-segment": backtestSegmentJob,
  "train-embedder": trainEmbedderJob,
  "embed-documents": embedDocumentsJob,
  "reindex-collection": reindexCollectionJob,
  "reindex-part": reindexPartJob,
  "index-vectors": indexVectorsJob,
  ...upkeepDefinitions,
};

/** Every queue that has jobs. */
export const queueNames: readonly string[] = [
  ...new Set(Object.values(jobCatalogue).map(({ queue }) => queue)),
];

export type JobCatalogue = typeof jobCatalogue;
export type JobName = keyof JobCatalogue;
export type PayloadOf<N extends JobName> = ReturnType<JobCatalogue[N]["parse"]>;
