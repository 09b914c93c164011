import type { Command } from "commander";
import type { CliCommand } from "../command.js";
import { count, oneOf } from "../option-parsers.js";

const STATES = ["WAITING", "ACTIVE", "DELAYED", "COMPLETED", "FAILED", "CANCELLED"] as const;

export interface JobsOptions {
  kind?: string;
  state?: string;
  limit: number;
}

export const jobs: CliCommand<JobsOptions> = {
  usage: "jobs",
  summary: "List the background jobs.",
  examples: ["254carbon jobs --state failed", "254carbon jobs --kind train-forecaster --limit 50 --json"],
  configure(command: Command) {
    command
      .option("--kind <kind>", "only this kind")
      .option("--state <state>", "only this state", oneOf(STATES))
      .option("--limit <number>", "at most so many, newest first", count, 20);
  },
  async run({ graph, terminal }, { kind, state, limit }) {
    const { jobs } = await graph.execute("jobs", { first: limit, kind, state });
    const rows = jobs.edges.map(({ node }) => [
      ...[node.id, node.kind, node.state, `${Math.round(node.progress * 100)} %`, node.attempts],
      ...[node.createdAt, node.error],
    ]);
    const head = ["job", "kind", "state", "progress", "attempts", "created", "error"];
    return { data: jobs.edges.map(({ node }) => node), text: terminal.table(head, rows, [3, 4]) };
  },
};
