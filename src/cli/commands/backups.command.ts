import type { Command } from "commander";
import { byteText } from "../byte-text.js";
import type { CliCommand } from "../command.js";
import { count } from "../option-parsers.js";

export interface BackupsOptions {
  limit: number;
}

export const backups: CliCommand<BackupsOptions> = {
  usage: "backups",
  summary: "List the backups, newest first.",
  examples: ["254carbon backups", "254carbon backups --limit 5 --json"],
  configure(command: Command) {
    command.option("--limit <number>", "at most so many", count, 20);
  },
  async run({ graph, terminal }, { limit }) {
    const { backups: found } = await graph.execute("backups", { first: limit });
    const rows = found.edges.map(({ node }) => [
      ...[node.takenAt, `${node.kind === "PG_DUMP" ? "PostgreSQL" : "embedded"} ${node.serverVersion}`],
      ...[byteText(Number(node.bytes)), node.rows, node.artifacts, node.mirroredAt === null ? "no" : "yes"],
      node.sha256.slice(0, 12),
    ]);
    const head = ["taken", "of", "size", "rows", "artifacts", "mirrored", "sha256"];
    return { data: found.edges.map(({ node }) => node), text: terminal.table(head, rows, [2, 3, 4]) };
  },
};
