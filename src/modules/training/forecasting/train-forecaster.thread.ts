import { parentPort, workerData } from "node:worker_threads";
import { forecastSegment } from "./backtest-segments.rules.js";
import { trainForecaster } from "./train-forecaster.rules.js";
import type { TrainingMessage, TrainingWork } from "./train-in-thread.js";

const { history, spec, recorded, part } = workerData as TrainingWork;
const say = (message: TrainingMessage) => parentPort!.postMessage(message);
const onProgress = (fraction: number, message: string) => say({ kind: "progress", fraction, message });

const result = part
  ? forecastSegment(history, spec, part, onProgress)
  : trainForecaster(history, spec, onProgress, recorded);
say({ kind: "done", result });
