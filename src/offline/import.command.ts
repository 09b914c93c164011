import { checkExport, ImportService } from "../modules/transfer/index.js";
import type { OfflineCommand } from "./offline-command.js";
import { withEngines } from "./with-engines.js";

/** import <folder> */
export const importCommand: OfflineCommand = async (context, [folder]) => {
  const checked = await checkExport(folder!);
  return withEngines(context, async ({ database, store }) => {
    await new ImportService(database, store, context.report).import(checked);
    // The planner knows nothing of the rows yet, and where nobody vacuums by itself, never would.
    await database.dataSource.query("ANALYZE");
    return checked.manifest;
  });
};
