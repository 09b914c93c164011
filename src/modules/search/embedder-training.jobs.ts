import { defineJob } from "../operations/index.js";

/** Learns an embedder from a collection's text, and registers it as a model version. */
export const trainEmbedderJob = defineJob({
  name: "train-embedder",
  queue: "training",
  attempts: 3,
  parse: (payload) => ({ run: String(payload.run) }),
});
