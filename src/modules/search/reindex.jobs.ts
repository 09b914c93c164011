import { defineJob } from "../operations/index.js";

// A queue of their own: they run for long, and what comes in must not wait for them.

/** Behind what is whole: a large reindex holds up no small one for longer than one of its parts takes. */
const PARTS_LAST = 10;

/** Embeds a collection anew, beside the index that serves, and lets the new one serve in its place. */
export const reindexCollectionJob = defineJob({
  name: "reindex-collection",
  queue: "reindexing",
  attempts: 3,
  parse: ({ collection, version, partedTo }) => ({
    collection: Number(collection),
    version: String(version),
    /** The last document that its parts embed; null where it has none. */
    partedTo: typeof partedTo === "string" ? partedTo : null,
  }),
});

/** Embeds a range of the documents, for the reindex that waits for all of them. */
export const reindexPartJob = defineJob({
  name: "reindex-part",
  queue: "reindexing",
  priority: PARTS_LAST,
  attempts: 3,
  // The index goes when its reindex ends early.
  lostWithWhole: true,
  parse: ({ after, to }) => ({ after: String(after), to: String(to) }),
});

/** Builds the HNSW index of a search index that has become too large to read every row. */
export const indexVectorsJob = defineJob({
  name: "index-vectors",
  queue: "reindexing",
  attempts: 3,
  parse: ({ index }) => ({ index: Number(index) }),
});
