import type { Command } from "commander";
import type { CliCommand, CliContext, CommandResult } from "../command.js";
import { UsageError } from "../command-failure.js";
import { count } from "../option-parsers.js";
import { runOffline } from "../run-offline.js";
import type { AuditVerification } from "../upkeep-operations.js";

export interface AuditOptions {
  actor?: string;
  action?: string;
  limit: number;
  offline?: boolean;
  from?: string;
}

export const audit: CliCommand<AuditOptions> = {
  usage: "audit [verify]",
  summary: "List what was done and tried, or verify that nothing of it was changed or removed.",
  examples: [
    "254carbon audit --actor ann --limit 50",
    "254carbon audit verify",
    "ML_DATA_DIR=/srv/254carbon 254carbon audit verify --offline",
  ],
  configure(command: Command) {
    command
      .option("--actor <subject>", "list: only of this caller")
      .option("--action <name>", "list: only this action, e.g. promoteModelVersion")
      .option("--limit <number>", "list: at most so many", count, 20)
      .option("--from <instant>", "verify: only what was sealed since, e.g. 2026-11-29T00:00:00Z")
      .option(
        "--offline",
        "verify: read the engines that the environment names, without a platform in between",
      )
      .addHelpText(
        "after",
        "\nWith --offline a platform on embedded engines must be stopped first; others may run. Exits with 1 when" +
          "\nsomething is not as it was.",
      );
  },
  run: (context, options, [what]) => {
    if (what === undefined) return list(context, options);
    if (what !== "verify") throw new UsageError(`audit [verify], not audit ${what}`);
    return verify(context, options);
  },
};

async function list(
  { graph, terminal }: CliContext,
  { actor, action, limit }: AuditOptions,
): Promise<CommandResult> {
  const answer = await graph.execute("audit", { first: Math.min(limit, 100), actor, action });
  const entries = answer.audit.edges.map(({ node }) => node);
  const rows = entries.map(({ at, actor: who, action: what, target, outcome, detail }) => [
    ...[at, who, what, target, outcome],
    JSON.stringify(detail),
  ]);
  return {
    data: entries,
    text: terminal.table(["at", "actor", "action", "target", "outcome", "detail"], rows, []),
  };
}

async function verify({ graph }: CliContext, { offline, from }: AuditOptions): Promise<CommandResult> {
  const flags = from === undefined ? [] : ["--from", from];
  const found = offline
    ? await runOffline<AuditVerification>("audit-verify", flags)
    : (await graph.execute("audit-verification", { from })).auditVerification;
  return { data: found, text: describe(found), exitCode: found.ok ? 0 : 1 };
}

function describe({ ok, entries, seals, heads, from, to, findings, limits }: AuditVerification): string {
  const span = from === null ? "" : `, ${from} to ${to}`;
  return [
    ...findings.map(({ kind, where, message }) => `${kind} at ${where}: ${message}`),
    `${ok ? "verified" : "NOT AS IT WAS"}: ${entries} entries in ${seals} seals, ${heads} signed heads${span}`,
    ...limits.map((limit) => `not known: ${limit}`),
  ].join("\n");
}
