import { readFile } from "node:fs/promises";
import { gunzipSync } from "node:zlib";
import type { CurveHistory } from "../../src/modules/training/forecasting/forecaster.types.js";
import { parseCurveCsv } from "../../src/shared/curve-csv.js";

/** Reads a curve's history from a CSV file, gzipped or not. */
export async function readCurveHistory(path: string): Promise<CurveHistory> {
  const bytes = await readFile(path);
  const text = (path.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8");
  const { kind, tenors, snapshots } = parseCurveCsv(text);
  const values = snapshots.flatMap(({ points }) => points.map(({ value }) => value ?? Number.NaN));
  return { kind, tenors, dates: snapshots.map(({ date }) => date), values: Float64Array.from(values) };
}

/** Its last dates only. */
export function lastDates({ kind, dates, tenors, values }: CurveHistory, count: number): CurveHistory {
  const first = dates.length - count;
  return { kind, tenors, dates: dates.slice(first), values: values.slice(first * tenors.length) };
}

/** Some of its tenors only. */
export function someTenors(
  { kind, dates, tenors, values }: CurveHistory,
  wanted: readonly string[],
): CurveHistory {
  const columns = wanted.map((tenor) => tenors.indexOf(tenor));
  const chosen = dates.flatMap((_, date) => columns.map((column) => values[date * tenors.length + column]!));
  return { kind, dates, tenors: [...wanted], values: Float64Array.from(chosen) };
}
