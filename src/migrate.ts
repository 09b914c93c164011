import { migrations } from "../migrations/index.js";
import { migrateDatabase } from "./engines.js";
import type { LatestConfig } from "./live-config.js";
import { createLogger } from "./telemetry/logger.js";

/** For who rolls out a version: the one process that must hold the credentials of the tables' owner. */
export async function migrate(latest: LatestConfig): Promise<void> {
  const logger = createLogger(latest().logLevel);
  await migrateDatabase(latest, { entities: [], migrations }, logger);
  logger.info({ event: "database.migrated" }, "the database is up to date");
}
