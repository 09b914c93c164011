import { ImportService } from "../modules/transfer/index.js";
import type { OfflineCommand } from "./offline-command.js";
import { withEngines } from "./with-engines.js";

/** import <folder> */
export const importCommand: OfflineCommand = (context, [folder]) =>
  withEngines(context, async ({ database, store }) => {
    const manifest = await new ImportService(database, store, context.report).import(folder!);
    // The planner knows nothing of the rows yet, and where nobody vacuums by itself, never would.
    await database.dataSource.query("ANALYZE");
    return manifest;
  });
