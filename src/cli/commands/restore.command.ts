import type { Command } from "commander";
import { byteText } from "../byte-text.js";
import type { CliCommand } from "../command.js";
import type { Restored } from "../../shared/restored.js";
import { runOffline } from "../run-offline.js";

export interface RestoreOptions {
  from: string;
  objects?: string;
}

export const restore: CliCommand<RestoreOptions> = {
  usage: "restore",
  summary: "Bring a backup back into the empty database of this environment; all or nothing.",
  examples: [
    "254carbon restore --from latest",
    "ML_DATA_DIR=/srv/new ML_MIRROR_DIR=/mnt/mirror 254carbon restore",
    "254carbon restore --from manifest.json --objects /mnt/mirror",
  ],
  configure(command: Command) {
    command
      .option(
        "--from <backup>",
        "its id or a part of its name, latest, or the path of its manifest.json",
        "latest",
      )
      .option("--objects <folder>", "a further place for dump and artifacts, laid out as ML_MIRROR_DIR is")
      .addHelpText(
        "after",
        "\nReads the configuration of the server (ML_DATA_DIR, ML_VECTOR_DB_DSN, ML_S3_..., ML_MIRROR_...), which must" +
          "\nnot run. Looks for backups in the object store and in the mirror, and overwrites nothing.",
      );
  },
  async run({ terminal }, { from, objects }) {
    const further = objects === undefined ? [] : ["--objects", objects];
    const done = await runOffline<Restored>("restore", ["--from", from, ...further]);
    const rows = Object.entries(done.rows).map(([table, count]) => [table, count]);
    const { verified, copied, bytes } = done.artifacts;
    const text =
      `${terminal.table(["table", "rows, as backed up"], rows, [1])}\n` +
      `restored the backup of ${done.takenAt} in ${done.seconds.toFixed(1)} s; ${verified + copied} artifacts ` +
      `(${byteText(bytes)}) verified, ${copied} of them brought back from the mirror`;
    return { data: done, text };
  },
};
