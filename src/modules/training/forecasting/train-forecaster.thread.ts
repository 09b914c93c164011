import { parentPort, workerData } from "node:worker_threads";
import type { CurveHistory, TrainingSpec } from "./forecaster.types.js";
import { trainForecaster } from "./train-forecaster.rules.js";
import type { TrainingMessage } from "./train-in-thread.js";

const { history, spec } = workerData as { history: CurveHistory; spec: TrainingSpec };
const say = (message: TrainingMessage) => parentPort!.postMessage(message);

const trained = trainForecaster(history, spec, (fraction, message) =>
  say({ kind: "progress", fraction, message }),
);
say({ kind: "trained", trained });
