import { trainForecaster } from "../../src/modules/training/forecasting/train-forecaster.rules.js";
import type { ForecasterType } from "../../src/modules/training/forecasting/forecaster.types.js";
import { lastDates, readCurveHistory, someTenors } from "./forecasting-data.js";

/** What one training is asked for. */
export interface TrainingTask {
  data: string;
  type: ForecasterType;
  horizons: number[];
  /** The last dates only. */
  dates?: number;
  tenors?: string[];
}

export interface TrainingCost {
  seconds: number;
  /** Of all threads; unlike seconds it hardly depends on what else the machine does. */
  cpuSeconds: number;
  dates: number;
  tenors: number;
  /** Of this process at its peak, reading the file and Node itself included. */
  peakBytes: number;
  metrics: Record<string, number>;
}

// One training in a process of its own, so that its peak memory is its own too.
const task = JSON.parse(process.argv[2]!) as TrainingTask;
let history = await readCurveHistory(task.data);
if (task.tenors) history = someTenors(history, task.tenors);
if (task.dates) history = lastDates(history, task.dates);
const { type, horizons } = task;
const started = performance.now();
const cpuBefore = process.cpuUsage();
const { metrics } = trainForecaster(
  history,
  { type, horizons, refitEvery: 21, coverage: 0.9, options: {}, seed: 254 },
  () => undefined,
);
const { user, system } = process.cpuUsage(cpuBefore);
const cost: TrainingCost = {
  seconds: (performance.now() - started) / 1000,
  cpuSeconds: (user + system) / 1e6,
  dates: history.dates.length,
  tenors: history.tenors.length,
  peakBytes: process.resourceUsage().maxRSS * 1024,
  metrics: Object.fromEntries(metrics.map(({ name, value }) => [name, value])),
};
console.log(JSON.stringify(cost));
