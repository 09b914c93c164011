import type { Command } from "commander";
import type { CliCommand } from "../command.js";
import { count } from "../option-parsers.js";

export interface CollectionsOptions {
  limit: number;
}

export const collections: CliCommand<CollectionsOptions> = {
  usage: "collections",
  summary: "List the collections: documents, those still to be embedded, and the model that embeds them.",
  examples: ["254carbon collections", "254carbon collections --json"],
  configure(command: Command) {
    command.option("--limit <number>", "at most so many, by name", count, 20);
  },
  async run({ graph, terminal }, { limit }) {
    const { collections } = await graph.execute("collections", { first: limit });
    const nodes = collections.edges.map(({ node }) => node);
    const rows = nodes.map(({ name, language, documentCount, pendingCount, embedderModel }) => [
      ...[name, language, documentCount, pendingCount, embedderModel?.name ?? null],
    ]);
    const head = ["collection", "language", "documents", "pending", "embedder"];
    return { data: nodes, text: terminal.table(head, rows, [2, 3]) };
  },
};
