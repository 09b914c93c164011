import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CliCommand, CliContext, CommandResult } from "../command.js";
import { CommandFailure } from "../command-failure.js";
import { slopeModel } from "../demo-model.js";
import { followTraining } from "../follow-training.js";
import { GraphClient } from "../graph-client.js";
import type { Curve, ModelVersion, TrainingRun } from "../graph-operations.js";
import { withLocalPlatform } from "../local-platform.js";
import { runText } from "../run-text.js";
import { forecast } from "./forecast.command.js";
import { predict } from "./predict.command.js";
import { promote } from "./promote.command.js";
import { register } from "./register.command.js";
import { rollback } from "./rollback.command.js";
import { startRun } from "./train.command.js";
import type { TrainOptions } from "./train.command.js";

const CURVE = "ust-par-yield";
const FORECASTER = "demo_forecaster";
const OWN_MODEL = "demo_slope";
const HORIZONS = [1, 5, 21];

export const demo: CliCommand = {
  usage: "demo",
  summary: "The whole story in one run, on a platform of its own when none answers.",
  examples: ["254carbon demo", "254carbon demo --url http://127.0.0.1:4000 --json"],
  configure: () => undefined,
  async run(context) {
    if (context.urlGiven || (await answers(context.graph))) return tellStory(context);
    context.terminal.say(`No platform answers at ${context.graph.url.origin}: starting one for this run ...`);
    return withLocalPlatform((url) => tellStory({ ...context, graph: new GraphClient(url) }));
  },
};

async function answers(graph: GraphClient): Promise<boolean> {
  try {
    await graph.execute("curves", { first: 1 });
    return true;
  } catch (error) {
    if (error instanceof CommandFailure && error.code === "UNREACHABLE") return false;
    throw error;
  }
}

/** On models of its own, so that nothing that serves is touched; every run adds versions to them. */
async function tellStory(context: CliContext): Promise<CommandResult> {
  const story = new Story(context);
  const curve = await findSampleCurve(context);
  story.say(`The curve ${curve.name} holds ${curve.snapshots.totalCount} dates up to ${curve.latest!.date}.`);

  if (!(await hasProduction(context, FORECASTER))) {
    story.say("First the benchmark that any forecast must beat: train a random walk and promote it.");
    story.show(await trainAndShow(context, "RANDOM_WALK"));
    story.show(
      await promote.run(context, { model: FORECASTER, stage: "PRODUCTION", reason: "benchmark" }, []),
    );
  }

  story.say(
    "Train a vector autoregression of the curve's principal components and backtest it out of sample.",
  );
  const run = story.show(await trainAndShow(context, "FACTOR_VAR")).data as TrainingRun;

  story.say("Promote it: from now on it serves.");
  const promotion = story.show(
    await promote.run(
      context,
      { model: FORECASTER, stage: "PRODUCTION", number: run.version!.number, reason: "demo" },
      [],
    ),
  );

  story.say("Forecast the curve with calibrated intervals.");
  const forecasted = story.show(await forecast.run(context, { curve: CURVE, model: FORECASTER }, []));

  story.say("Bring an own ONNX model: the slope of a curve in basis points.");
  const registered = story.show(await registerSlopeModel(context));

  story.say("Predict with it: the slope from 2 to 10 years, now and when both are equal.");
  const { number } = registered.data as ModelVersion;
  const yields = JSON.stringify([await latestYields(context, curve, ["P2Y", "P10Y"]), [4, 4]]);
  const prediction = story.show(
    await predict.run(context, { model: OWN_MODEL, version: { number }, input: { yields } }, []),
  );

  story.say("Roll the forecaster back to the version that served before.");
  const rolledBack = story.show(
    await rollback.run(context, { model: FORECASTER, reason: "end of the demo" }, []),
  );

  const data = {
    curve,
    run,
    promotion: promotion.data,
    forecast: forecasted.data,
    registered: registered.data,
    prediction: prediction.data,
    rollback: rolledBack.data,
  };
  return {
    data,
    text: "\nThat is the whole story; run it again, it only adds versions to the models of the demo.",
  };
}

/** Numbers the steps and shows what came of each. */
class Story {
  private step = 0;

  constructor(private readonly context: CliContext) {}

  say(sentence: string): void {
    const { terminal } = this.context;
    this.step += 1;
    terminal.say(`\n${terminal.bold(`${this.step}. ${sentence}`)}`);
  }

  show(result: CommandResult): CommandResult {
    this.context.terminal.say(result.text);
    return result;
  }
}

async function findSampleCurve({ graph }: CliContext): Promise<Curve> {
  const { curve } = await graph.execute("curve", { name: CURVE });
  if (curve?.latest) return curve;
  throw new CommandFailure(
    "NOT_FOUND",
    `this platform has no curve ${CURVE}; bring one with: 254carbon import-curve FILE --name ${CURVE}`,
    "curve",
  );
}

async function hasProduction({ graph }: CliContext, name: string): Promise<boolean> {
  const { model } = await graph.execute("model", { name });
  return Boolean(model?.production);
}

async function trainAndShow(
  context: CliContext,
  modelType: TrainOptions["modelType"],
): Promise<CommandResult> {
  const { run, cursor } = await startRun(context, {
    ...{ modelType, curve: CURVE, model: FORECASTER, horizons: HORIZONS },
    wait: true,
  });
  const finished = await followTraining(context, run.id, cursor, new AbortController().signal);
  if (finished?.status !== "SUCCEEDED") {
    throw new CommandFailure(
      finished?.status ?? "FAILED",
      `run ${run.id}: ${finished?.error ?? "no reason given"}`,
    );
  }
  return { data: finished, text: runText(context.terminal, finished, false) };
}

async function registerSlopeModel(context: CliContext): Promise<CommandResult> {
  const folder = await mkdtemp(join(tmpdir(), "254carbon-model-"));
  try {
    const path = join(folder, "slope.onnx");
    await writeFile(path, slopeModel());
    return await register.run(context, { model: OWN_MODEL, kind: "TENSOR", parameter: { unit: "bp" } }, [
      path,
    ]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function latestYields(
  { graph }: CliContext,
  { name, latest }: Curve,
  tenors: string[],
): Promise<number[]> {
  const date = latest!.date;
  const { curve } = await graph.execute("curve-snapshots", { name, from: date, to: date, first: 1 });
  const points = curve?.snapshots.edges[0]?.node.points ?? [];
  return tenors.map((tenor) => points.find((point) => point.tenor === tenor)?.value ?? 0);
}
