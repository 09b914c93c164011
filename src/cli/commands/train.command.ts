import type { Command } from "commander";
import type { CliCommand, CliContext } from "../command.js";
import { CommandFailure, UsageError } from "../command-failure.js";
import type { CurveKind, RunStatus } from "../graph-operations.js";
import { count, countList, decimal, integer, isoDate, keyValue, oneOf } from "../option-parsers.js";
import { runText } from "../run-text.js";
import { followStartedRun } from "../started-run.js";

const SAMPLE_CURVE = "ust-par-yield";
const TYPES = [
  "RANDOM_WALK",
  "NELSON_SIEGEL",
  "FACTOR_VAR",
  "RIDGE",
  "GRADIENT_BOOSTING",
  "ENSEMBLE",
] as const;

export interface TrainOptions {
  curveType?: CurveKind;
  modelType: (typeof TYPES)[number];
  curve?: string;
  model: string;
  horizons?: number[];
  from?: string;
  to?: string;
  backtestFrom?: string;
  refitEvery?: number;
  coverage?: number;
  option?: Record<string, string>;
  seed?: number;
  wait: boolean;
  full?: boolean;
}

export const train: CliCommand<TrainOptions> = {
  usage: "train",
  summary: "Train a forecaster on a curve, backtest it and register it as a new version.",
  examples: [
    "254carbon train --curve-type yield --model-type ensemble",
    "254carbon train --curve wti --model wti_forecaster --model-type ridge --horizons 1,5,21",
    "254carbon train --model-type nelson-siegel --option decay=0.0609 --from 2015-01-01 --full",
  ],
  configure(command: Command) {
    command
      .option(
        "--curve-type <type>",
        "yield or forward (default: yield, or the kind of --curve)",
        oneOf(["YIELD", "FORWARD"]),
      )
      .option(
        "--model-type <type>",
        "random-walk, nelson-siegel, factor-var, ridge, gradient-boosting or ensemble",
        oneOf(TYPES),
        "ENSEMBLE",
      )
      .option("--curve <name>", `the curve (default: ${SAMPLE_CURVE} for yield, the only one for forward)`)
      .option("--model <name>", "the model that gets the new version", "curve_forecaster")
      .option("--horizons <steps>", "steps of the curve's dates, e.g. 1,5,21,63", countList)
      .option("--from <date>", "first outcome date it is fitted to", isoDate)
      .option("--to <date>", "last outcome date", isoDate)
      .option("--backtest-from <date>", "first outcome date of the backtest", isoDate)
      .option("--refit-every <steps>", "steps between refits in the backtest", count)
      .option("--coverage <share>", "coverage of the prediction intervals, e.g. 0.9", decimal)
      .option("--option <key=value>", "an option of the type; repeatable", keyValue)
      .option("--seed <number>", "seed of everything random", integer)
      .option("--no-wait", "print the run's id and return at once")
      .option("--full", "score each tenor on its own");
  },
  async run(context, options) {
    const { run, cursor, curve } = await startRun(context, options);
    return followStartedRun(
      context,
      { run, cursor },
      {
        wait: options.wait,
        note: `${options.modelType} on ${curve}, a new version of ${options.model}`,
        show: (finished) => ({
          data: finished,
          text: runText(context.terminal, finished, options.full ?? false),
        }),
      },
    );
  },
};

/** Starts a run on the chosen curve. */
export async function startRun(
  context: CliContext,
  options: TrainOptions,
): Promise<{ run: { id: string; status: RunStatus }; cursor: string; curve: string }> {
  const curve = await chooseCurve(context, options);
  const { model, modelType: type, horizons, from, to, backtestFrom, refitEvery, coverage, seed } = options;
  const { startTraining } = await context.graph.execute("start-training", {
    input: {
      ...{ model, curve, type, horizons, from, to, backtestFrom, refitEvery, coverage, seed },
      options: options.option && typedOptions(options.option),
    },
  });
  return { ...startTraining, curve };
}

/** @throws {UsageError} when the curve's kind is not the one asked for; {CommandFailure} when none can be chosen */
async function chooseCurve({ graph }: CliContext, { curve: name, curveType }: TrainOptions): Promise<string> {
  if (name !== undefined) {
    if (curveType === undefined) return name;
    const { curve } = await graph.execute("curve", { name });
    if (curve && curve.kind !== curveType) {
      throw new UsageError(
        `--curve ${name} is a ${curve.kind} curve, but --curve-type asks for ${curveType}`,
      );
    }
    return name;
  }
  if (curveType !== "FORWARD") return SAMPLE_CURVE;
  const { curves } = await graph.execute("curves", { first: 100 });
  const forward = curves.edges.filter(({ node }) => node.kind === "FORWARD").map(({ node }) => node.name);
  if (forward.length === 1 && !curves.pageInfo.hasNextPage) return forward[0]!;
  if (forward.length === 0) {
    throw new CommandFailure(
      "NOT_FOUND",
      "there is no FORWARD curve yet; bring one with: 254carbon import-curve FILE --name NAME --unit UNIT",
    );
  }
  throw new UsageError(`name one of the FORWARD curves with --curve: ${forward.join(", ")}`);
}

/** Numbers, booleans and JSON as such, anything else as text. */
function typedOptions(options: Record<string, string>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(options).map(([key, text]) => {
      try {
        return [key, JSON.parse(text) as unknown];
      } catch {
        return [key, text];
      }
    }),
  );
}
