import { access, readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Config } from "../config/config.js";
import { ExportService } from "../modules/transfer/index.js";
import { PreconditionFailedError } from "../shared/errors.js";
import type { OfflineCommand } from "./offline-command.js";
import { withEngines } from "./with-engines.js";

const MANIFEST = join(import.meta.dirname, "../../../package.json");

/** export <folder> [--without-predictions] */
export const exportCommand: OfflineCommand = async (context, args) => {
  const { positionals, values } = parseArgs({
    args,
    allowPositionals: true,
    options: { "without-predictions": { type: "boolean", default: false } },
  });
  await assertThere(context.config);
  const { version } = JSON.parse(await readFile(MANIFEST, "utf8")) as { version: string };
  const predictions = !values["without-predictions"];
  return withEngines(context, ({ database, store }) =>
    new ExportService(database, store, version, context.report).export(positionals[0]!, { predictions }),
  );
};

/** Opening an embedded database makes it: a mistyped folder would give an export of nothing. */
async function assertThere({ database, dataDir }: Config): Promise<void> {
  if (database.dsn !== undefined) return;
  await access(join(dataDir, "database")).catch(() => {
    throw new PreconditionFailedError(`ML_DATA_DIR: there is no embedded database in ${dataDir}`);
  });
}
