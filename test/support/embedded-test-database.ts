import { openEmbeddedDatabase } from "../../src/adapters/embedded/embedded-database.js";
import type {
  EmbeddedDatabase,
  EmbeddedDatabaseOptions,
} from "../../src/adapters/embedded/embedded-database.js";
import { temporaryFolder } from "./temporary-folder.js";

export interface TestDatabase {
  database: EmbeddedDatabase;
  /** Closes the database and removes its folder. */
  drop(): Promise<void>;
}

/** A real embedded database in a folder of its own; cloned from the prepared cluster in about a second. */
export async function openTestDatabase(
  options: Partial<EmbeddedDatabaseOptions> = {},
): Promise<TestDatabase> {
  const folder = await temporaryFolder();
  const database = await openEmbeddedDatabase({
    entities: [],
    migrations: [],
    ...options,
    dataDir: folder.path,
  });
  return {
    database,
    drop: async () => {
      await database.close();
      await folder.remove();
    },
  };
}
