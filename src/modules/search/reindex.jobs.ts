import { defineJob } from "../operations/index.js";

/** Embeds a collection anew, beside the index that serves, and lets the new one serve in its place. */
export const reindexCollectionJob = defineJob({
  name: "reindex-collection",
  queue: "embedding",
  attempts: 3,
  parse: ({ collection, version }) => ({ collection: Number(collection), version: String(version) }),
});
