import type { CliCommand } from "../command.js";
import { runOffline } from "../run-offline.js";
import { transferTable } from "../transfer-text.js";
import type { Transfer } from "../transfer-text.js";

export const importPlatform: CliCommand = {
  usage: "import <folder>",
  summary: "Bring an export into the platform of this environment, which must be empty.",
  examples: ["ML_VECTOR_DB_DSN=... ML_REDIS_URL=... ML_S3_BUCKET=... 254carbon import before-the-move"],
  configure(command) {
    command.addHelpText(
      "after",
      "\nRun it before the platform's first start: it makes the tables, checks every digest, and writes all rows or none." +
        "\nSearches by words answer at once; those by meaning once the first start has embedded the documents.",
    );
  },
  async run({ terminal }, _options, [folder]) {
    const done = await runOffline<Transfer>("import", [folder!]);
    return {
      data: done,
      text: `${transferTable(terminal, done)}\nimported from ${folder}: counts and digests are those of the export`,
    };
  },
};
