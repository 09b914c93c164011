import type { Command } from "commander";
import type { CliCommand, CliContext, CommandResult } from "../command.js";
import { readRun } from "../follow-training.js";
import { count } from "../option-parsers.js";
import { runText } from "../run-text.js";

export interface RunsOptions {
  model?: string;
  limit: number;
  full?: boolean;
}

export const runs: CliCommand<RunsOptions> = {
  usage: "runs [run]",
  summary: "List the training runs, or show one with its backtest.",
  examples: ["254carbon runs --model curve_forecaster", "254carbon runs RUN --full"],
  configure(command: Command) {
    command
      .option("--model <name>", "only runs of this model")
      .option("--limit <number>", "at most so many, newest first", count, 20)
      .option("--full", "score each tenor on its own");
  },
  async run(context, options, [id]) {
    if (id === undefined) return listRuns(context, options);
    const run = await readRun(context, id);
    return { data: run, text: runText(context.terminal, run, options.full ?? false) };
  },
};

async function listRuns(
  { graph, terminal }: CliContext,
  { model, limit }: RunsOptions,
): Promise<CommandResult> {
  const { trainingRuns } = await graph.execute("training-runs", { first: limit, model });
  const rows = trainingRuns.edges.map(({ node }) => [
    ...[
      node.id,
      node.model.name,
      node.curve?.name ?? node.collection?.name ?? null,
      node.status,
      `${Math.round(node.progress * 100)} %`,
    ],
    ...[node.version?.number ?? null, node.createdAt, node.error],
  ]);
  const head = ["run", "model", "learns from", "status", "progress", "version", "created", "error"];
  return { data: trainingRuns.edges.map(({ node }) => node), text: terminal.table(head, rows, [4, 5]) };
}
