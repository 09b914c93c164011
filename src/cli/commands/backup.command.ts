import type { Command } from "commander";
import { byteText } from "../byte-text.js";
import type { CliCommand } from "../command.js";
import { finishJob } from "../finish-job.js";

export interface BackupOptions {
  wait: boolean;
}

interface BackupResult {
  manifest: string;
  bytes: number;
  artifacts: number;
  mirrored: boolean;
  seconds: number;
}

export const backup: CliCommand<BackupOptions> = {
  usage: "backup",
  summary: "Back up the database into the object store, and all that it refers to into the mirror.",
  examples: ["254carbon backup", "254carbon backup --wait"],
  configure(command: Command) {
    command.option("--wait", "follow it to its end", false);
  },
  async run(context, { wait }) {
    const { startBackup } = await context.graph.execute("start-backup", { input: {} });
    return finishJob(context, { id: startBackup.job.id, label: "backup", wait }, ({ id, result }) => {
      const { manifest, bytes, artifacts, mirrored, seconds } = result as unknown as BackupResult;
      const mirror = mirrored ? `its ${artifacts} artifacts are in the mirror` : "no mirror is configured";
      return {
        data: { job: id, ...result },
        text: `${manifest}: ${byteText(bytes)} in ${seconds.toFixed(1)} s; ${mirror}`,
      };
    });
  },
};
