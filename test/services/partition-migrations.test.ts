import { migrations } from "../../migrations/index.js";
import { entities } from "../../src/app.js";
import { openPostgresDatabase } from "../../src/adapters/service/postgres-database.js";
import { startPostgres } from "../support/postgres-server.js";
import type { PostgresServer } from "../support/postgres-server.js";

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.remove());

const unpartitioned = migrations.filter(({ name }) => /^(Foundation|Search)\d+$/.test(name));

const ROWS = `
  INSERT INTO curves SELECT gen_random_uuid(), 'curve_' || n, 'YIELD', 'percent', '{1Y,2Y}', 'tester'
    FROM generate_series(1, 3) n;
  INSERT INTO curve_snapshots SELECT c.id, d::date, r, ARRAY[r, NULL, 0.1]::float8[], now() - interval '1 hour'
    FROM curves c, generate_series('1961-12-30'::date, now(), interval '37 days') d, generate_series(1, 2) r;
  INSERT INTO inference_records SELECT gen_random_uuid(), 'PREDICTION', gen_random_uuid(), 'tester',
      now() - n * interval '5 hours', n, json_build_object('n', n), NULL
    FROM generate_series(1, 2000) n;
  INSERT INTO outbox_events (transaction_id, topic, subject, payload, at)
    SELECT n / 3, 'job', jsonb_build_object('n', n), '{}', now() - (500 - n) * interval '20 minutes'
    FROM generate_series(1, 500) n;
  SELECT setval(pg_get_serial_sequence('outbox_events', 'id'), 777)`;

/** Columns that the tables had then, the key first. */
const COLUMNS = {
  curve_snapshots: 'curve_id, date, revision, "values", recorded_at',
  inference_records: "id, kind, version_id, caller, at, latency_ms, inputs::text, outputs::text",
  outbox_events: "id, transaction_id, topic, subject, payload, at",
};
const tables = Object.keys(COLUMNS) as (keyof typeof COLUMNS)[];

/** How many rows a table has, and what they say. */
function contentOf(database: string, table: keyof typeof COLUMNS) {
  return server.query(
    `SELECT count(*)::int AS count, md5(string_agg(t::text, E'\\n' ORDER BY t)) AS digest
     FROM (SELECT ${COLUMNS[table]} FROM ${table}) t`,
    [],
    database,
  );
}

/** A database as it was before its tables were partitioned, with rows in all of them. */
async function unpartitionedDatabase(name: string): Promise<string> {
  const dsn = await server.createDatabase(name);
  await (await openPostgresDatabase({ dsn, entities: [], migrations: unpartitioned })).close();
  await server.query(ROWS, [], name);
  return dsn;
}

test("carries every row over, and back", async () => {
  const dsn = await unpartitionedDatabase("upgraded");
  const before = await Promise.all(tables.map((table) => contentOf("upgraded", table)));
  const database = await openPostgresDatabase({ dsn, entities, migrations });
  const { dataSource } = database;
  expect(await Promise.all(tables.map((table) => contentOf("upgraded", table)))).toEqual(before);
  const left = await dataSource.query(
    `SELECT inhrelid::regclass::text AS name FROM pg_inherits JOIN pg_class c ON c.oid = inhparent AND c.relkind = 'p'
     WHERE (xpath('/row/n/text()', query_to_xml('SELECT count(*) AS n FROM ' || inhrelid::regclass, true, true, '')))[1]::text::int > 0
       AND inhrelid::regclass::text LIKE '%default'`,
  );
  // Only what is older than the first decade of its own.
  expect(left).toEqual([{ name: "partitions.curve_snapshots_default" }]);
  const [next] = await dataSource.query(
    "INSERT INTO outbox_events (transaction_id, topic, subject, payload, at) VALUES (1, 'job', '{}', '{}', now()) RETURNING id",
  );
  expect(next).toEqual({ id: "778" });
  await dataSource.query("DELETE FROM outbox_events WHERE id = 778");
  for (let count = migrations.length - unpartitioned.length; count > 0; count--) {
    await dataSource.undoLastMigration();
  }
  expect(await Promise.all(tables.map((table) => contentOf("upgraded", table)))).toEqual(before);
  await dataSource.runMigrations();
  expect(await Promise.all(tables.map((table) => contentOf("upgraded", table)))).toEqual(before);
  const { upQueries } = await dataSource.driver.createSchemaBuilder().log();
  expect(upQueries.map(({ query }) => query)).toEqual([]);
  await database.close();
});

test("snapshots stay evidence, whichever table a statement names", async () => {
  const dsn = await unpartitionedDatabase("evidence");
  const { dataSource, ...database } = await openPostgresDatabase({ dsn, entities, migrations }).then(
    (opened) => ({
      dataSource: opened.dataSource,
      close: () => opened.close(),
    }),
  );
  const partitions = (await dataSource.query(
    "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'curve_snapshots'::regclass",
  )) as { name: string }[];
  expect(partitions.length).toBeGreaterThan(5);
  for (const { name } of [{ name: "curve_snapshots" }, ...partitions]) {
    const [row] = (await dataSource.query(`SELECT count(*)::int AS rows FROM ${name}`)) as [{ rows: number }];
    await expect(dataSource.query(`TRUNCATE ${name}`)).rejects.toThrow("append-only");
    if (row.rows === 0) continue;
    await expect(dataSource.query(`DELETE FROM ${name}`)).rejects.toThrow("append-only");
    await expect(dataSource.query(`UPDATE ${name} SET revision = 9`)).rejects.toThrow("append-only");
  }
  await database.close();
});
