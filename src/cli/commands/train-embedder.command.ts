import type { Command } from "commander";
import type { CliCommand, CliContext, CommandResult } from "../command.js";
import type { TrainingRun } from "../graph-operations.js";
import { count, integer } from "../option-parsers.js";
import { runText } from "../run-text.js";
import { followStartedRun } from "../started-run.js";
import { promote } from "./promote.command.js";

export interface TrainEmbedderOptions {
  model: string;
  collection: string;
  dimensions?: number;
  seed?: number;
  promote?: boolean;
  wait: boolean;
}

export const trainEmbedder: CliCommand<TrainEmbedderOptions> = {
  usage: "train-embedder",
  summary: "Learn a text embedder from a collection's own text and register it as a new version.",
  examples: [
    "254carbon train-embedder --model note_embedder --collection notes",
    "254carbon train-embedder --model note_embedder --collection notes --dimensions 128 --promote",
  ],
  configure(command: Command) {
    command
      .requiredOption("--model <name>", "the model that gets the new version; created when absent")
      .requiredOption("--collection <name>", "the collection whose documents it learns from")
      .option("--dimensions <number>", "width of its vectors, 8 to 1024 (default: 256)", count)
      .option("--seed <number>", "seed of everything random", integer)
      .option("--promote", "put the version into production, which embeds its collections anew")
      .option("--no-wait", "print the run's id and return at once; promotes nothing");
  },
  async run(context, { wait, promote: promotes = false, ...input }) {
    const { trainEmbedder: started } = await context.graph.execute("train-embedder", { input });
    return followStartedRun(context, started, {
      wait,
      note: `learning from ${input.collection}, a new version of ${input.model}`,
      show: (run) => (promotes ? showPromoted(context, run) : show(context, run)),
    });
  },
};

function show({ terminal }: CliContext, run: TrainingRun): CommandResult {
  return { data: run, text: runText(terminal, run, false) };
}

async function showPromoted(context: CliContext, run: TrainingRun): Promise<CommandResult> {
  const { data, text } = await promote.run(
    context,
    { model: run.model.name, number: run.version!.number, stage: "PRODUCTION" },
    [],
  );
  return { data: { run, promotion: data }, text: `${show(context, run).text}\n${text}` };
}
