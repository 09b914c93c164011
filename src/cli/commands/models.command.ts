import type { Command } from "commander";
import type { CliCommand, CliContext, CommandResult } from "../command.js";
import type { ModelHistory } from "../graph-operations.js";
import { unknownModel } from "../newest-ready-version.js";
import { count, oneOf } from "../option-parsers.js";
import type { Terminal } from "../terminal.js";

export interface ModelsOptions {
  kind?: string;
  limit: number;
}

export const models: CliCommand<ModelsOptions> = {
  usage: "models [name]",
  summary: "List the models with what serves, or one model's versions and stage changes.",
  examples: ["254carbon models", "254carbon models curve_forecaster --json"],
  configure(command: Command) {
    command
      .option("--kind <kind>", "only this kind", oneOf(["CURVE_FORECASTER", "TENSOR", "TEXT_EMBEDDER"]))
      .option("--limit <number>", "at most so many rows of each list", count, 20);
  },
  run: (context, options, [name]) =>
    name ? showModel(context, name, options) : listModels(context, options),
};

async function listModels(
  { graph, terminal }: CliContext,
  { kind, limit }: ModelsOptions,
): Promise<CommandResult> {
  const { models } = await graph.execute("models", { first: limit, kind });
  const rows = models.edges.map(({ node }) => [
    node.name,
    node.kind,
    node.production?.number ?? null,
    node.staging?.number ?? null,
    node.versions.totalCount,
    node.createdAt,
  ]);
  const head = ["model", "kind", "production", "staging", "versions", "created"];
  return { data: models.edges.map(({ node }) => node), text: terminal.table(head, rows, [2, 3, 4]) };
}

async function showModel(
  { graph, terminal }: CliContext,
  name: string,
  { limit }: ModelsOptions,
): Promise<CommandResult> {
  const { model } = await graph.execute("model-history", { name, first: limit });
  if (!model) throw unknownModel(name);
  const { versions, transitions, ...about } = model;
  const data = {
    ...about,
    versions: versions.edges.map(({ node }) => node),
    transitions: transitions.edges.map(({ node }) => node),
  };
  return { data, text: modelText(terminal, model) };
}

function modelText(
  terminal: Terminal,
  { name, kind, description, versions, transitions }: ModelHistory,
): string {
  const lines = [`${name}, ${kind}${description ? `: ${description}` : ""}`];
  lines.push(
    terminal.table(
      ["version", "stage", "status", "created", "by", "metrics"],
      versions.edges.map(({ node }) => [
        node.number,
        node.stage,
        node.rejection ? `${node.status}: ${node.rejection}` : node.status,
        node.createdAt,
        node.createdBy,
        node.metrics
          .slice(0, 3)
          .map((metric) => `${metric.name} ${metric.value.toPrecision(4)}`)
          .join(", "),
      ]),
      [0],
    ),
  );
  if (transitions.edges.length > 0) {
    lines.push(
      terminal.table(
        ["at", "change", "version", "from", "to", "retired", "by", "reason"],
        transitions.edges.map(({ node }) => [
          ...[node.at, node.kind, node.version.number, node.from, node.to],
          ...[node.retired?.number ?? null, node.actor, node.reason],
        ]),
        [2, 5],
      ),
    );
  }
  return lines.join("\n");
}
