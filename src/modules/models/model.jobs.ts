import { defineJob } from "../operations/index.js";

/** Loads an uploaded artifact and decides whether it can be served. */
export const validateModelVersionJob = defineJob({
  name: "validate-model-version",
  queue: "validation",
  attempts: 3,
  parse: (payload) => ({ version: String(payload.version) }),
});
