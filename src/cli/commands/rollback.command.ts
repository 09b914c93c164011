import type { Command } from "commander";
import type { CliCommand } from "../command.js";
import { integer } from "../option-parsers.js";
import { transitionText } from "../transition-text.js";

export interface RollbackOptions {
  model: string;
  reason?: string;
  expectedCurrent?: number;
}

export const rollback: CliCommand<RollbackOptions> = {
  usage: "rollback",
  summary: "Put back the version that was in production before the current one.",
  examples: ['254carbon rollback --model curve_forecaster --reason "worse since Monday"'],
  configure(command: Command) {
    command
      .requiredOption("--model <name>", "the model")
      .option("--reason <text>", "why; kept in the history")
      .option("--expected-current <version>", "refuse unless this version is in production now", integer);
  },
  async run({ graph }, { model, reason, expectedCurrent }) {
    const { rollbackModel: payload } = await graph.execute("rollback-model", {
      input: { model, reason, expectedCurrent },
    });
    return { data: payload, text: transitionText(model, payload.transition, payload.pending) };
  },
};
