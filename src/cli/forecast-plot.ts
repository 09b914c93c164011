import type { ForecastPoint } from "./graph-operations.js";

const ROWS = 16;
const MARK = { now: "○", mean: "●", band: "│", top: "┬", bottom: "┴" };

/**
 * Draws a curve and its forecast, tenors from left to right: what is quoted now, the forecast beside it on the
 * band of its interval.
 * @param now quoted value by tenor, null or absent where the market quoted nothing
 * @param width columns to draw in; labels are thinned out where the tenors are many
 */
export function forecastPlot(
  points: ForecastPoint[],
  now: ReadonlyMap<string, number | null>,
  width: number,
): string {
  const values = points.flatMap(({ tenor, lower, upper, mean }) => [
    now.get(tenor) ?? mean,
    lower,
    upper,
    mean,
  ]);
  const low = Math.min(...values);
  const step = (Math.max(...values) - low || 1) / (ROWS - 1);
  const rowOf = (value: number): number => ROWS - 1 - Math.round((value - low) / step);

  const decimals = Math.max(0, Math.min(6, 1 - Math.floor(Math.log10(step))));
  const labels = Array.from({ length: ROWS }, (_, row) => (low + (ROWS - 1 - row) * step).toFixed(decimals));
  const margin = Math.max(...labels.map((label) => label.length));
  const column = Math.max(2, Math.min(7, Math.floor((width - margin - 2) / points.length)));
  const cells = labels.map(() => new Array<string>(points.length * column).fill(" "));

  points.forEach(({ tenor, mean, lower, upper }, i) => {
    const centre = i * column + Math.floor(column / 2);
    for (let row = rowOf(upper); row <= rowOf(lower); row++) cells[row]![centre] = MARK.band;
    cells[rowOf(lower)]![centre] = MARK.bottom;
    cells[rowOf(upper)]![centre] = MARK.top;
    cells[rowOf(mean)]![centre] = MARK.mean;
    const quoted = now.get(tenor);
    if (typeof quoted === "number") cells[rowOf(quoted)]![centre - 1] = MARK.now;
  });

  const lines = cells.map((row, i) => `${labels[i]!.padStart(margin)} ┤${row.join("")}`.trimEnd());
  const axis = `${" ".repeat(margin)} └${"─".repeat(points.length * column)}`;
  return [...lines, axis, `${" ".repeat(margin + 2)}${tenorLabels(points, column)}`].join("\n");
}

/** What the marks stand for. */
export function plotLegend(now: string, forecast: string, coverage: number): string {
  return `${MARK.now} ${now}   ${MARK.mean} ${forecast}   ${MARK.band} ${Math.round(coverage * 100)} % interval`;
}

function tenorLabels(points: ForecastPoint[], column: number): string {
  const longest = Math.max(...points.map(({ tenor }) => tenor.length));
  const every = Math.ceil((longest + 1) / column);
  return points
    .map(({ tenor }, i) => (i % every === 0 ? tenor.padStart(Math.floor(column / 2) + 1) : ""))
    .map((label, i) => (i % every === 0 ? label.padEnd(column * every) : ""))
    .join("")
    .trimEnd();
}
