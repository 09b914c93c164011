import { defineJob } from "../operations/index.js";

/** Trains and backtests a forecaster, and registers what came of it as a model version. */
export const trainForecasterJob = defineJob({
  name: "train-forecaster",
  queue: "training",
  attempts: 3,
  parse: (payload) => ({ run: String(payload.run) }),
});
