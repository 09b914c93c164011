import type { Command } from "commander";
import { byteText } from "../byte-text.js";
import type { CliCommand } from "../command.js";
import { finishJob } from "../finish-job.js";
import type { Restored } from "../../shared/restored.js";

export interface TestRestoreOptions {
  from?: string;
  wait: boolean;
}

export const testRestore: CliCommand<TestRestoreOptions> = {
  usage: "test-restore",
  summary: "Restore a backup where nobody works, verify all of it, and remove it again.",
  examples: ["254carbon test-restore", "254carbon test-restore --from QmFja3VwOjAx"],
  configure(command: Command) {
    command
      .option("--from <backup>", "its id, as backups shows it (default: the newest)")
      .option("--no-wait", "print the job's id and return at once");
  },
  async run(context, { from, wait }) {
    const { startRestoreTest } = await context.graph.execute("start-restore-test", {
      input: { backup: from },
    });
    const job = { id: startRestoreTest.job.id, label: "test", wait };
    return finishJob(context, job, ({ id, result }) => {
      const { takenAt, rows, artifacts, seconds } = result as unknown as Restored;
      const sum = Object.values(rows).reduce((total, count) => total + count, 0);
      const { verified, copied, bytes } = artifacts;
      const text =
        `the backup of ${takenAt} can be restored: ${sum} rows of ${Object.keys(rows).length} tables as backed up, ` +
        `${verified + copied} artifacts (${byteText(bytes)}) whole, ${copied} of them in the mirror alone; ` +
        `${seconds.toFixed(1)} s`;
      return { data: { job: id, ...result }, text };
    });
  },
};
