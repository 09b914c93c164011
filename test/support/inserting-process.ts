import { openEmbeddedDatabase } from "../../src/adapters/embedded/embedded-database.js";

// A process to be killed: opens the folder given and prints the id of each row once it is committed.

const [dataDir, cacheDir] = process.argv.slice(2) as [string, string | undefined];
const database = await openEmbeddedDatabase({ dataDir, cacheDir, entities: [], migrations: [] });
await database.dataSource.query(
  "CREATE TABLE IF NOT EXISTS acknowledged (id bigserial PRIMARY KEY, filler text)",
);
process.stdout.write("ready\n");

async function insertForever(): Promise<never> {
  for (;;) {
    const [{ id }] = await database.transaction((tx) =>
      tx.query("INSERT INTO acknowledged (filler) VALUES (repeat('x', 2000)) RETURNING id"),
    );
    process.stdout.write(`${id}\n`);
  }
}

await Promise.all([insertForever(), insertForever(), insertForever(), insertForever()]);
