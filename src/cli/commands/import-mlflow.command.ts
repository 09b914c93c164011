import type { Command } from "commander";
import { InvalidArgumentError } from "commander";
import type { CliCommand, CliContext } from "../command.js";
import { UsageError } from "../command-failure.js";
import { readEnvironment } from "../environment.js";
import { FileStore } from "../mlflow/file-store.js";
import { hasChanged, hasFailed } from "../mlflow/import-outcome.js";
import type { ModelOutcome } from "../mlflow/import-outcome.js";
import { importText } from "../mlflow/import-text.js";
import type { MlflowEstate, MlflowModel } from "../mlflow/mlflow-estate.js";
import { ModelImport } from "../mlflow/model-import.js";
import { USUAL_ALIASES } from "../mlflow/stage-plan.js";
import type { AliasStages, Stage } from "../mlflow/stage-plan.js";
import { TrackingServer } from "../mlflow/tracking-server.js";
import { keyValue, list, oneOf } from "../option-parsers.js";

const EXIT_FAILURE = 1;
const MODEL_NAME = /^[a-z0-9_-]{1,64}$/;
const STAGE = oneOf<Stage>(["PRODUCTION", "STAGING", "NONE"]);
const HELP =
  "\nWhat is no ONNX graph is listed with how to export it. A second run changes nothing, and one that was cut off goes on." +
  "\nThe exit code is 1 when something that is ONNX did not come. MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and" +
  "\nMLFLOW_TRACKING_PASSWORD, are sent to the tracking server.";

export interface ImportMlflowOptions {
  trackingUri?: string;
  directory?: string;
  model?: string[];
  rename?: Record<string, string>;
  alias?: Record<string, Stage>;
  dryRun: boolean;
}

export const importMlflow: CliCommand<ImportMlflowOptions> = {
  usage: "import-mlflow",
  summary:
    "Bring registered models of MLflow with their versions, stages, metrics, parameters, tags and ONNX graphs.",
  examples: [
    "254carbon import-mlflow --tracking-uri http://mlflow-server:5000 --dry-run",
    "254carbon import-mlflow --directory ./mlruns --model power_price",
    '254carbon import-mlflow --rename "Power Price=power_price" --alias blue=production --json',
  ],
  configure(command: Command) {
    command
      .option("--tracking-uri <uri>", "where MLflow answers (ML_MLFLOW_TRACKING_URI)")
      .option("--directory <folder>", "an mlruns folder instead, with models/ in it")
      .option("--model <name>", "only this registered model, by MLflow's name; repeatable", list)
      .option("--rename <name=name>", "what a model of MLflow's is called here; repeatable", keyValue)
      .option("--alias <alias=stage>", "stage that an alias stands for, or none; repeatable", aliasStage)
      .option("--dry-run", "say what would come, and change nothing", false)
      .addHelpText("after", HELP);
  },
  async run(context, options) {
    context.graph.whenLimited = (seconds) =>
      context.terminal.note(`the points of this minute are used up; going on in ${seconds} s`);
    const estate = await openEstate(options);
    const chosen = chosenModels(await estate.models(), options.model ?? [], estate.place);
    const names = namesHere(chosen, options.rename ?? {});
    const aliases: AliasStages = new Map([...USUAL_ALIASES, ...Object.entries(options.alias ?? {})]);
    const models = await importAll(context, estate, names, { aliases, dryRun: options.dryRun });
    const versions = models.flatMap((model) => model.versions);
    const failed = versions.some(hasFailed) || models.some(({ failures }) => failures > 0);
    return {
      data: { source: estate.place, dryRun: options.dryRun, changed: models.some(hasChanged), models },
      text: importText(context.terminal, estate.place, models, options.dryRun),
      exitCode: failed ? EXIT_FAILURE : 0,
    };
  },
};

/** @throws {UsageError} when neither or both are named */
async function openEstate({ trackingUri, directory }: ImportMlflowOptions): Promise<MlflowEstate> {
  if (directory !== undefined && trackingUri !== undefined)
    throw new UsageError("--directory and --tracking-uri: name one of them");
  if (directory !== undefined) return FileStore.open(directory);
  const environment = readEnvironment();
  const uri = trackingUri ?? environment.trackingUri;
  if (uri !== undefined) return new TrackingServer({ uri, ...environment.tracking });
  throw new UsageError(
    "name MLflow with --tracking-uri (or ML_MLFLOW_TRACKING_URI), or its mlruns folder with --directory",
  );
}

function chosenModels(
  models: readonly MlflowModel[],
  wanted: readonly string[],
  place: string,
): MlflowModel[] {
  const missing = wanted.find((name) => !models.some((model) => model.name === name));
  if (missing !== undefined)
    throw new UsageError(`--model: ${place} has no registered model named "${missing}"`);
  return models.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
}

/** @throws {UsageError} for a name that the platform does not take, or that two models would share */
function namesHere(
  models: readonly MlflowModel[],
  renames: Record<string, string>,
): Map<MlflowModel, string> {
  const unknown = Object.keys(renames).find((name) => !models.some((model) => model.name === name));
  if (unknown !== undefined) throw new UsageError(`--rename: no model named "${unknown}" is brought`);
  const names = new Map<MlflowModel, string>();
  for (const model of models) {
    const name = renames[model.name] ?? nameFor(model.name);
    if (!MODEL_NAME.test(name)) {
      throw new UsageError(
        `--rename: "${model.name}" would be "${name}" here; a name has lower-case letters, digits, _ and -, at most 64`,
      );
    }
    const [other] = [...names].find(([, taken]) => taken === name) ?? [];
    if (other) {
      throw new UsageError(
        `--rename: "${other.name}" and "${model.name}" would both be "${name}" here; rename one`,
      );
    }
    names.set(model, name);
  }
  return names;
}

function nameFor(name: string): string {
  const plain = name.toLowerCase().replace(/[^a-z0-9_-]+/g, "-");
  return plain.replace(/^-+|-+$/g, "").slice(0, 64);
}

async function importAll(
  context: CliContext,
  estate: MlflowEstate,
  names: ReadonlyMap<MlflowModel, string>,
  settings: { aliases: AliasStages; dryRun: boolean },
): Promise<ModelOutcome[]> {
  const outcomes: ModelOutcome[] = [];
  for (const [model, name] of names) {
    outcomes.push(await new ModelImport(context, estate, model, name, settings).run());
  }
  return outcomes;
}

/** Collects a repeatable `alias=stage`. */
function aliasStage(text: string, collected: Record<string, Stage> = {}): Record<string, Stage> {
  const equals = text.lastIndexOf("=");
  if (equals < 1) throw new InvalidArgumentError("It must be alias=stage.");
  return { ...collected, [text.slice(0, equals).toLowerCase()]: STAGE(text.slice(equals + 1)) };
}
