import type { Command } from "commander";
import type { CliCommand } from "../command.js";
import { runOffline } from "../run-offline.js";
import { transferTable } from "../transfer-text.js";
import type { Transfer } from "../transfer-text.js";

export interface ExportOptions {
  withoutPredictions?: boolean;
}

export const exportPlatform: CliCommand<ExportOptions> = {
  usage: "export <folder>",
  summary:
    "Write all that matters of the platform of this environment into a folder that any tier can import.",
  examples: [
    "254carbon export before-the-move",
    "ML_DATA_DIR=/srv/254carbon 254carbon export before-the-move --without-predictions",
  ],
  configure(command: Command) {
    command
      .option("--without-predictions", "leave the prediction log out")
      .addHelpText(
        "after",
        "\nReads the engines that the environment names (ML_DATA_DIR, or ML_VECTOR_DB_DSN, ML_REDIS_URL and ML_S3_...)" +
          "\nwithout a platform in between. One on embedded engines must be stopped first; others may run.",
      );
  },
  async run({ terminal }, { withoutPredictions = false }, [folder]) {
    const flags = withoutPredictions ? ["--without-predictions"] : [];
    const done = await runOffline<Transfer>("export", [folder!, ...flags]);
    return { data: done, text: `${transferTable(terminal, done)}\nexported to ${folder}` };
  },
};
