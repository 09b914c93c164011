import type { Command } from "commander";
import { UsageError } from "../command-failure.js";
import type { CliCommand, CliContext, CommandResult } from "../command.js";
import { count, oneOf } from "../option-parsers.js";

const STATES = ["WAITING", "ACTIVE", "DELAYED", "COMPLETED", "FAILED", "CANCELLED"] as const;

export interface JobsOptions {
  kind?: string;
  state?: string;
  limit: number;
}

export const jobs: CliCommand<JobsOptions> = {
  usage: "jobs [action] [job]",
  summary: "List the background jobs, retry one that failed, or cancel one.",
  examples: [
    "254carbon jobs --state failed",
    "254carbon jobs --kind train-forecaster --limit 50 --json",
    "254carbon jobs retry Sm9iOjAx",
    "254carbon jobs cancel Sm9iOjAx",
  ],
  configure(command: Command) {
    command
      .option("--kind <kind>", "list: only this kind")
      .option("--state <state>", "list: only this state", oneOf(STATES))
      .option("--limit <number>", "list: at most so many, newest first", count, 20);
  },
  run(context, options, [action, id]) {
    if (action === undefined || action === "list") return list(context, options);
    if (action === "retry") return retry(context, requireId(id));
    if (action === "cancel") return cancel(context, requireId(id));
    throw new UsageError(`"${action}" is none of list, retry and cancel`);
  },
};

function requireId(id: string | undefined): string {
  if (id === undefined) throw new UsageError("the id of a job is needed; jobs shows it");
  return id;
}

async function list(
  { graph, terminal }: CliContext,
  { kind, state, limit }: JobsOptions,
): Promise<CommandResult> {
  const { jobs } = await graph.execute("jobs", { first: limit, kind, state });
  const rows = jobs.edges.map(({ node }) => [
    ...[node.id, node.kind, node.state, `${Math.round(node.progress * 100)} %`, node.attempts],
    ...[node.createdAt, node.error],
  ]);
  const head = ["job", "kind", "state", "progress", "attempts", "created", "error"];
  return { data: jobs.edges.map(({ node }) => node), text: terminal.table(head, rows, [3, 4]) };
}

async function retry({ graph }: CliContext, id: string): Promise<CommandResult> {
  const { job } = (await graph.execute("retry-job", { input: { job: id } })).retryJob;
  return { data: job, text: `job ${job.id}: ${job.state}` };
}

async function cancel({ graph }: CliContext, id: string): Promise<CommandResult> {
  const { job } = (await graph.execute("cancel-job", { input: { job: id } })).cancelJob;
  return { data: job, text: `job ${job.id}: ${job.state}` };
}
