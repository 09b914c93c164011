import type { Command } from "commander";
import { byteText } from "../byte-text.js";
import type { CliCommand } from "../command.js";
import { UsageError } from "../command-failure.js";
import { finishJob } from "../finish-job.js";
import { integer } from "../option-parsers.js";
import type { CleanupReceipt } from "../upkeep-operations.js";

export interface CleanupOptions {
  days: number;
  dryRun?: boolean;
  yes?: boolean;
}

export const cleanup: CliCommand<CleanupOptions> = {
  usage: "cleanup",
  summary: "Remove what is out of use; without --yes, list what would go.",
  examples: ["254carbon cleanup --days 30 --dry-run", "254carbon cleanup --days 30 --yes"],
  configure(command: Command) {
    command
      .option("--days <number>", "how long it must have been out of use", integer, 30)
      .option("--dry-run", "remove nothing; the default")
      .option("--yes", "remove it");
  },
  async run(context, { days, dryRun, yes = false }) {
    if (dryRun && yes) throw new UsageError("--dry-run and --yes contradict each other");
    const input = { days, dryRun: !yes };
    const { startCleanup } = await context.graph.execute("start-cleanup", { input });
    const { id } = startCleanup.job;
    return finishJob(context, { id, label: "cleanup", wait: true }, async () => {
      const { cleanupReceipt: receipt } = await context.graph.execute("cleanup-receipt", { job: id });
      return { data: { job: id, ...receipt }, text: textOf(receipt!) };
    });
  },
};

function textOf({ dryRun, versions, artifacts, backups, jobs, indexes }: CleanupReceipt): string {
  const bytes = artifacts.reduce((sum, artifact) => sum + artifact.bytes, 0);
  const lines = [
    ...versions.map(
      ({ model, number, was }) =>
        `version  ${model} ${number} (${was === "READY" ? "archived" : was.toLowerCase()})`,
    ),
    ...artifacts.map((artifact) => `artifact ${artifact.sha256} (${byteText(artifact.bytes)})`),
    ...backups.map(({ id, takenAt }) => `backup   ${takenAt} (${id})`),
    ...jobs.map(({ id, kind }) => `job      ${id} (${kind})`),
    ...indexes.map(({ id, collectionId }) => `index    ${id} of collection ${collectionId}`),
  ];
  const counts =
    `${versions.length} versions, ${artifacts.length} artifacts (${byteText(bytes)}), ${backups.length} backups, ` +
    `${jobs.length} jobs, ${indexes.length} indexes`;
  return [...lines, dryRun ? `would remove ${counts}; --yes removes them` : `removed ${counts}`].join("\n");
}
