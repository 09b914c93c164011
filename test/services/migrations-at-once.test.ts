import { join } from "node:path";
import pg from "pg";
import { migrations } from "../../migrations/index.js";
import { openPostgresDatabase } from "../../src/adapters/service/postgres-database.js";
import { entities } from "../../src/app.js";
import { startPostgres } from "../support/postgres-server.js";
import type { PostgresServer } from "../support/postgres-server.js";
import { runProgram } from "../support/run-program.js";
import { until } from "../support/until.js";

const MIGRATING_PROCESS = join(import.meta.dirname, "../support/migrating-process.js");
const names = migrations.map(({ name }) => name);

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.remove());

test("four processes that start at once on an empty database apply each migration once", async () => {
  const dsn = await server.createDatabase("shared");
  const starts = Array.from({ length: 4 }, () => runProgram(process.execPath, [MIGRATING_PROCESS, dsn]));
  for (const output of await Promise.all(starts)) expect(JSON.parse(output)).toEqual(names);
});

test("a migration that finds its table in use lets others by, and comes again", async () => {
  const dsn = await server.createDatabase("busy");
  const older = migrations.slice(0, names.indexOf("PartitionLocksCurveSnapshots1797000000000"));
  await (await openPostgresDatabase({ dsn, entities: [], migrations: older })).close();
  const reader = new pg.Client(server.connection("busy"));
  await reader.connect();
  await reader.query("BEGIN; SELECT count(*) FROM outbox_events");
  const waits: object[] = [];
  const silent = { info: () => undefined, error: () => undefined };
  const log = { ...silent, warn: (fields: object) => waits.push(fields) };
  const opening = openPostgresDatabase({ dsn, entities, migrations, log });
  await until(
    () => waits.some((fields) => "event" in fields && fields.event === "database.migration_waits"),
    30_000,
  );
  await reader.query("COMMIT");
  await reader.end();
  await (await opening).close();
});
