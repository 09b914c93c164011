import type { CliCommand } from "../command.js";

export const cancel: CliCommand = {
  usage: "cancel <run>",
  summary: "Cancel a training run.",
  examples: ["254carbon cancel RUN"],
  configure: () => undefined,
  async run({ graph }, _options, [id]) {
    const { run } = (await graph.execute("cancel-training", { input: { run: id! } })).cancelTraining;
    return { data: run, text: `run ${run.id}: ${run.status}` };
  },
};
