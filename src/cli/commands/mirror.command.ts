import type { Command } from "commander";
import { byteText } from "../byte-text.js";
import type { CliCommand } from "../command.js";
import { finishJob } from "../finish-job.js";

export interface MirrorOptions {
  verify: boolean;
  wait: boolean;
}

interface MirrorResult {
  copiedCount: number;
  copiedBytes: number;
  present: number;
}

export const mirror: CliCommand<MirrorOptions> = {
  usage: "mirror",
  summary: "Copy to the mirror what it lacks of the object store.",
  examples: ["254carbon mirror", "254carbon mirror --verify"],
  configure(command: Command) {
    command
      .option("--verify", "read again, too, what was copied before, and replace what is damaged", false)
      .option("--no-wait", "print the job's id and return at once");
  },
  async run(context, { verify, wait }) {
    const { startMirror } = await context.graph.execute("start-mirror", { input: { verify } });
    return finishJob(context, { id: startMirror.job.id, label: "mirroring", wait }, ({ id, result }) => {
      const { copiedCount, copiedBytes, present } = result as unknown as MirrorResult;
      const text = `${copiedCount} objects copied (${byteText(copiedBytes)}), ${present} were there`;
      return { data: { job: id, ...result }, text };
    });
  },
};
