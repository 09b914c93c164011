import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ExportService } from "../modules/transfer/index.js";
import { assertEmbeddedThere } from "./assert-embedded-there.js";
import type { OfflineCommand } from "./offline-command.js";
import { withEngines } from "./with-engines.js";
import { PACKAGE_ROOT } from "../shared/package-root.js";

const MANIFEST = join(PACKAGE_ROOT, "package.json");

/** export <folder> [--without-predictions] */
export const exportCommand: OfflineCommand = async (context, args) => {
  const { positionals, values } = parseArgs({
    args,
    allowPositionals: true,
    options: { "without-predictions": { type: "boolean", default: false } },
  });
  await assertEmbeddedThere(context.config);
  const { version } = JSON.parse(await readFile(MANIFEST, "utf8")) as { version: string };
  const predictions = !values["without-predictions"];
  return withEngines(context, ({ database, store }) =>
    new ExportService(database, store, version, context.report).export(positionals[0]!, { predictions }),
  );
};
