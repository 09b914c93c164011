import type { Command } from "commander";
import type { CliCommand } from "../command.js";
import { newestReadyVersion } from "../newest-ready-version.js";
import { count, integer, oneOf } from "../option-parsers.js";
import { transitionText } from "../transition-text.js";

export interface PromoteOptions {
  model: string;
  stage: string;
  number?: number;
  reason?: string;
  expectedCurrent?: number;
}

export const promote: CliCommand<PromoteOptions> = {
  usage: "promote",
  summary: "Put a version of a model into a stage; the newest READY one unless a number is given.",
  examples: [
    "254carbon promote --model curve_forecaster --stage Production",
    '254carbon promote --model curve_forecaster --number 3 --expected-current 2 --reason "better at 63 days"',
  ],
  configure(command: Command) {
    command
      .requiredOption("--model <name>", "the model")
      .option(
        "--stage <stage>",
        "production, staging, archived or none",
        oneOf(["PRODUCTION", "STAGING", "ARCHIVED", "NONE"]),
        "PRODUCTION",
      )
      .option("--number <version>", "the version (default: the newest READY one)", count)
      .option("--reason <text>", "why; kept in the history")
      .option("--expected-current <version>", "refuse unless this version is there now (0: none)", integer);
  },
  async run(context, { model, stage, number, reason, expectedCurrent }) {
    const chosen = number ?? (await newestReadyVersion(context, model));
    const { promoteModelVersion: payload } = await context.graph.execute("promote-model-version", {
      input: { model, number: chosen, stage, reason, expectedCurrent },
    });
    return { data: payload, text: transitionText(model, payload.transition, payload.pending) };
  },
};
