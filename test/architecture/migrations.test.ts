import "reflect-metadata";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { migrations } from "../../migrations/index.js";
import { openEmbeddedDatabase } from "../../src/adapters/embedded/embedded-database.js";
import { entities } from "../../src/app.js";

test("after all migrations the entities want no other tables", async () => {
  const dataDir = await mkdtemp(join(tmpdir(), "254carbon-drift-"));
  const database = await openEmbeddedDatabase({ dataDir, entities, migrations });
  try {
    const { upQueries } = await database.dataSource.driver.createSchemaBuilder().log();
    expect(upQueries.map(({ query }) => query)).toEqual([]);
  } finally {
    await database.close();
    await rm(dataDir, { recursive: true, force: true });
  }
});
