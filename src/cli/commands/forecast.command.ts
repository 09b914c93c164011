import type { Command } from "commander";
import type { CliCommand, CliContext } from "../command.js";
import { forecastPlot, plotLegend } from "../forecast-plot.js";
import type { CurveForecast, ForecastPoint, VersionSelector } from "../graph-operations.js";
import { countList, isoDate, version } from "../option-parsers.js";
import type { Terminal } from "../terminal.js";

/** Columns that the tenor and today's quotes take, and each horizon beside them. */
const FIXED_WIDTH = 23;
const HORIZON_WIDTH = 24;

export interface ForecastOptions {
  curve: string;
  model?: string;
  version?: VersionSelector;
  asOf?: string;
  horizon?: number[];
}

export const forecast: CliCommand<ForecastOptions> = {
  usage: "forecast",
  summary: "Forecast a curve with its intervals, as a table and a plot of the furthest horizon.",
  examples: [
    "254carbon forecast --curve ust-par-yield",
    "254carbon forecast --curve wti --model wti_forecaster --horizon 5,21 --as-of 2024-06-28",
  ],
  configure(command: Command) {
    command
      .requiredOption("--curve <name>", "the curve")
      .option("--model <name>", "the forecaster (default: curve_forecaster)")
      .option("--version <version>", "a number, or staging (default: production)", version)
      .option("--as-of <date>", "forecast from the last snapshot on or before it", isoDate)
      .option("--horizon <steps>", "one or more of the version's horizons, e.g. 5,21", countList);
  },
  async run(context, { curve, model, version, asOf, horizon: horizons }) {
    const { forecast } = await context.graph.execute("forecast", {
      input: { curve, model, version, asOf, horizons },
    });
    const now = await quotedOn(context, curve, forecast.asOf);
    const text = forecastText(context.terminal, model ?? "curve_forecaster", forecast, now);
    return { data: { ...forecast, now: Object.fromEntries(now) }, text };
  },
};

async function quotedOn(
  { graph }: CliContext,
  name: string,
  date: string,
): Promise<Map<string, number | null>> {
  const { curve } = await graph.execute("curve-snapshots", { name, from: date, to: date, first: 1 });
  const points = curve?.snapshots.edges[0]?.node.points ?? [];
  return new Map(points.map(({ tenor, value }) => [tenor, value]));
}

function forecastText(
  terminal: Terminal,
  model: string,
  { curve, asOf, version, coverage, horizons }: CurveForecast,
  now: Map<string, number | null>,
): string {
  const lines = [
    `${curve.name} in ${curve.unit}, as of ${asOf}, by ${model} version ${version.number}: ` +
      `mean and ${Math.round(coverage * 100)} % interval`,
  ];
  const fitting = Math.max(1, Math.floor((terminal.width - FIXED_WIDTH) / HORIZON_WIDTH));
  for (let start = 0; start < horizons.length; start += fitting) {
    const shown = horizons.slice(start, start + fitting);
    const head = ["tenor", asOf, ...shown.map(({ horizon, date }) => `+${horizon}: ${date}`)];
    const rows = shown[0]!.points.map(({ tenor }, i) => [
      tenor,
      now.get(tenor)?.toFixed(3) ?? null,
      ...shown.map(({ points }) => intervalText(points[i]!)),
    ]);
    lines.push(terminal.table(head, rows, head.map((_, column) => column).slice(1)));
  }
  const furthest = horizons.at(-1);
  if (furthest) {
    lines.push(forecastPlot(furthest.points, now, terminal.width));
    lines.push(plotLegend(asOf, `${furthest.date} (+${furthest.horizon})`, coverage));
  }
  return lines.join("\n");
}

function intervalText({ mean, lower, upper }: ForecastPoint): string {
  return `${mean.toFixed(3)} [${lower.toFixed(3)}, ${upper.toFixed(3)}]`;
}
