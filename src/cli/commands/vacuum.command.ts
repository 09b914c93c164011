import type { Command } from "commander";
import { byteText } from "../byte-text.js";
import type { CliCommand } from "../command.js";
import { finishJob } from "../finish-job.js";

export interface VacuumOptions {
  wait: boolean;
}

export const vacuum: CliCommand<VacuumOptions> = {
  usage: "vacuum",
  summary: "Return the room of deleted rows, and renew what the query planner knows.",
  examples: ["254carbon vacuum"],
  configure(command: Command) {
    command.option("--no-wait", "print the job's id and return at once");
  },
  async run(context, { wait }) {
    const { startVacuum } = await context.graph.execute("start-vacuum", { input: {} });
    return finishJob(context, { id: startVacuum.job.id, label: "vacuum", wait }, ({ id, result }) => {
      const { bytesBefore, bytesAfter } = result as { bytesBefore: number; bytesAfter: number };
      return {
        data: { job: id, ...result },
        text: `${byteText(bytesBefore)} before, ${byteText(bytesAfter)} after`,
      };
    });
  },
};
