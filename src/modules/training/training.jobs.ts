import { defineJob } from "../operations/index.js";

/** Behind what is whole: a large backtest holds up no small training for longer than one of its segments takes. */
const PARTS_LAST = 10;

/** Trains and backtests a forecaster, and registers what came of it as a model version. */
export const trainForecasterJob = defineJob({
  name: "train-forecaster",
  queue: "training",
  attempts: 3,
  parse: (payload) => ({ run: String(payload.run) }),
});

/** Computes one segment of a large backtest, for the training that waits for all of them. */
export const backtestSegmentJob = defineJob({
  name: "backtest-segment",
  queue: "training",
  priority: PARTS_LAST,
  attempts: 3,
  parse: (payload) => ({
    run: String(payload.run),
    segment: Number(payload.segment),
    of: Number(payload.of),
  }),
});
