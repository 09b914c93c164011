import { defineJob } from "../operations/index.js";

/** Embeds what one call of ingestDocuments has brought. */
export const embedDocumentsJob = defineJob({
  name: "embed-documents",
  queue: "embedding",
  attempts: 5,
  resumes: true,
  parse: ({ collection }) => ({ collection: Number(collection) }),
});
