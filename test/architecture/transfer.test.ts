import "reflect-metadata";
import { migrations } from "../../migrations/index.js";
import { entities } from "../../src/app.js";
import { exportedTables, tablesLeftBehind } from "../../src/modules/transfer/index.js";
import { openTestDatabase } from "../support/embedded-test-database.js";

test("every table is either exported or left behind with a reason", async () => {
  const { database, drop } = await openTestDatabase({ entities, migrations });
  try {
    const tables = await database.dataSource.query<{ name: string }[]>(
      `SELECT relname AS name FROM pg_class
       WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY 1`,
    );
    const known = [...exportedTables.map(({ name }) => name), ...Object.keys(tablesLeftBehind)];
    expect(tables.map(({ name }) => name)).toEqual(known.sort());
    const schemas = await database.dataSource.query<{ name: string }[]>(
      `SELECT nspname AS name FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' ORDER BY 1`,
    );
    expect(schemas.map(({ name }) => name)).toEqual(["partitions", "public", "vectors"]);
  } finally {
    await drop();
  }
});
