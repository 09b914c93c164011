import { defineJob } from "../operations/index.js";

// A queue of their own: they run for long, and what comes in must not wait for them.

/** Embeds a collection anew, beside the index that serves, and lets the new one serve in its place. */
export const reindexCollectionJob = defineJob({
  name: "reindex-collection",
  queue: "reindexing",
  attempts: 3,
  parse: ({ collection, version }) => ({ collection: Number(collection), version: String(version) }),
});

/** Builds the HNSW index of a search index that has become too large to read every row. */
export const indexVectorsJob = defineJob({
  name: "index-vectors",
  queue: "reindexing",
  attempts: 3,
  parse: ({ index }) => ({ index: Number(index) }),
});
