import { migrations } from "../../migrations/index.js";
import { entities } from "../app.js";
import { openEngines } from "../engines.js";
import type { Engines } from "../engines.js";
import type { OfflineContext } from "./offline-command.js";

/** Opens the engines of the tier that is configured, for as long as the work takes. */
export async function withEngines<T>(
  { config, logger }: OfflineContext,
  work: (engines: Engines) => Promise<T>,
): Promise<T> {
  const engines = await openEngines(() => config, { entities, migrations }, logger);
  try {
    return await work(engines);
  } finally {
    await engines.queue.close();
    await engines.store.close();
    await engines.database.close();
  }
}
