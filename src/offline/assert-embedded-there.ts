import { access } from "node:fs/promises";
import { join } from "node:path";
import type { Config } from "../config/config.js";
import { PreconditionFailedError } from "../shared/errors.js";

/** Opening an embedded database makes it: of a mistyped folder it would be told that it holds nothing. */
export async function assertEmbeddedThere({ database, dataDir }: Config): Promise<void> {
  if (database.dsn !== undefined) return;
  await access(join(dataDir, "database")).catch(() => {
    throw new PreconditionFailedError(`ML_DATA_DIR: there is no embedded database in ${dataDir}`);
  });
}
