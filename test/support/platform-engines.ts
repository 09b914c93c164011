import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import pg from "pg";
import { openEmbeddedDatabase } from "../../src/adapters/embedded/embedded-database.js";
import { loadConfig } from "../../src/config/config.js";
import { openStorage } from "../../src/storage.js";
import { createLogger } from "../../src/telemetry/logger.js";
import type { Platform } from "./platform.js";
import { onServiceTier, serviceEnvironment } from "./service-tier.js";
import { temporaryFolder } from "./temporary-folder.js";

type Place = Pick<Platform, "dataDir">;
type Query = <T>(sql: string, values?: unknown[]) => Promise<T[]>;

/** Reads what a platform has in its database, while it does not run. */
export async function inDatabaseOf<T>({ dataDir }: Place, look: (query: Query) => Promise<T>): Promise<T> {
  const { ML_VECTOR_DB_DSN: dsn } = await serviceEnvironment(dataDir);
  if (dsn === undefined) {
    const folder = join(dataDir, "database");
    const database = await openEmbeddedDatabase({ dataDir: folder, entities: [], migrations: [] });
    try {
      return await look((sql, values) => database.dataSource.query(sql, values));
    } finally {
      await database.close();
    }
  }
  const client = new pg.Client({ connectionString: dsn });
  await client.connect();
  try {
    return await look(async (sql, values) => (await client.query(sql, values)).rows as never);
  } finally {
    await client.end();
  }
}

/** Digests of all objects that the platform's store holds. */
export async function storedObjects({ dataDir }: Place): Promise<string[]> {
  const config = loadConfig({ ML_DATA_DIR: dataDir, ...(await serviceEnvironment(dataDir)) });
  const { store } = await openStorage(() => config, createLogger("silent"));
  const digests: string[] = [];
  for await (const { sha256 } of store.list()) digests.push(sha256);
  await store.close();
  return digests;
}

/** Takes an object out of a platform's store, with the copies of it, while it does not run. @returns puts it back */
export async function takeObject(place: Place, sha256: string): Promise<() => Promise<void>> {
  if (!onServiceTier) {
    const file = join(place.dataDir, "objects", "objects", sha256.slice(0, 2), sha256);
    await rename(file, `${file}.away`);
    return () => rename(`${file}.away`, file);
  }
  // Read by a process of its own folder, since the platform may run when the object is put back.
  const elsewhere = await temporaryFolder();
  const environment = { ...(await serviceEnvironment(place.dataDir)), ML_DATA_DIR: elsewhere.path };
  const { store } = await openStorage(() => loadConfig(environment), createLogger("silent"));
  const content = await buffer(await store.read(sha256));
  await store.remove(sha256);
  await rm(join(place.dataDir, "local-objects"), { recursive: true, force: true });
  return async () => {
    await store.put({ sha256, bytes: content.length }, Readable.from([content]));
    await store.close();
    await elsewhere.remove();
  };
}
