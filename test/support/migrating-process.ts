// Opens the database of the DSN given, as every process of the platform does when it starts, and says when it has.
import "reflect-metadata";
import { migrations } from "../../migrations/index.js";
import { openPostgresDatabase } from "../../src/adapters/service/postgres-database.js";
import { entities } from "../../src/app.js";

const database = await openPostgresDatabase({ dsn: process.argv[2]!, entities, migrations });
const applied: { name: string }[] = await database.dataSource.query(
  "SELECT name FROM migrations ORDER BY id",
);
process.stdout.write(JSON.stringify(applied.map(({ name }) => name)));
await database.close();
