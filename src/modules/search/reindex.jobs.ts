import { defineJob } from "../operations/index.js";

/** Embeds a collection anew, beside the index that serves, and lets the new one serve in its place. */
export const reindexCollectionJob = defineJob({
  name: "reindex-collection",
  queue: "embedding",
  attempts: 3,
  parse: ({ collection, version }) => ({ collection: Number(collection), version: String(version) }),
});

/** Builds the HNSW index of a search index that has become too large to read every row. */
export const indexVectorsJob = defineJob({
  name: "index-vectors",
  queue: "embedding",
  attempts: 3,
  parse: ({ index }) => ({ index: Number(index) }),
});
