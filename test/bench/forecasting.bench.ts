import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { FORECASTER_TYPES } from "../../src/modules/training/forecasting/forecaster.types.js";
import { readCurveHistory } from "./forecasting-data.js";
import type { TrainingCost, TrainingTask } from "./forecasting-run.process.js";

export interface BenchTable {
  title: string;
  rows: { name: string; value: string; target?: string }[];
}

const horizons = [1, 5, 21, 63];
/** Quoted without a break over the whole daily history, so that all types are compared on the same dates. */
const scoredTenors = ["P3M", "P6M", "P1Y", "P2Y", "P3Y", "P5Y", "P7Y", "P10Y", "P20Y"];
/** A file this long is taken for the whole daily history, whose accuracy is worth a table. */
const wholeHistory = 8000;
const sample = "samples/ust-par-yield.csv";
const trainingProcess = fileURLToPath(new URL("./forecasting-run.process.js", import.meta.url));

/**
 * What training ENSEMBLE costs, and on the whole daily history how well each type forecasts.
 * @param options data: CSV file of a curve, gzipped or not; by default the sample curve
 */
export async function forecastingBench({ data = sample }: { data?: string }): Promise<BenchTable> {
  const { dates } = await readCurveHistory(data);
  const whole = await train({ data, type: "ENSEMBLE", horizons });
  const half = await train({ data, type: "ENSEMBLE", horizons, dates: Math.floor(dates.length / 2) });
  const perDate = ({ cpuSeconds, dates: count }: TrainingCost) => (1000 * cpuSeconds) / count;
  const growth = perDate(whole) / perDate(half);
  const rows: BenchTable["rows"] = [
    {
      name: `ENSEMBLE with backtest, ${whole.dates} dates x ${whole.tenors} tenors, ${horizons.length} horizons`,
      value: `${whole.seconds.toFixed(1)} s`,
      target: "< 60 s for 8757 dates x 12 tenors",
    },
    { name: "peak memory", value: `${Math.round(whole.peakBytes / 2 ** 20)} MB`, target: "< 1024 MB" },
    {
      name: `CPU time per date at ${half.dates} and ${whole.dates} dates`,
      value: `${perDate(half).toFixed(2)} and ${perDate(whole).toFixed(2)} ms, ratio ${growth.toFixed(2)}`,
      target: "about 1",
    },
  ];
  if (dates.length >= wholeHistory) rows.push(...(await accuracy(data)));
  return { title: "Training curve forecasters", rows };
}

async function accuracy(data: string): Promise<BenchTable["rows"]> {
  const rows: BenchTable["rows"] = [];
  for (const type of FORECASTER_TYPES) {
    const { metrics } = await train({ data, type, horizons, tenors: scoredTenors });
    const at = (name: string) =>
      horizons.map((horizon) => metrics[`${name}_h${horizon}`]!.toFixed(3)).join(" ");
    const targets =
      type === "ENSEMBLE" ? { relative: "< 1", covered: "0.9 +- 0.03 0.03 0.06 0.06" } : undefined;
    rows.push(
      {
        name: `${type}: RMSE over the random walk's at ${horizons.join(", ")}`,
        value: at("relative_rmse"),
        target: targets?.relative,
      },
      { name: `${type}: coverage of the 90 % interval`, value: at("coverage"), target: targets?.covered },
    );
  }
  return rows;
}

async function train(task: TrainingTask): Promise<TrainingCost> {
  const { stdout } = await promisify(execFile)(process.execPath, [trainingProcess, JSON.stringify(task)]);
  return JSON.parse(stdout) as TrainingCost;
}
