import pg from "pg";
import { migrations } from "../../migrations/index.js";
import { openPostgresDatabase } from "../../src/adapters/service/postgres-database.js";
import { entities } from "../../src/app.js";
import { outboxPartitions, PartitionService } from "../../src/modules/operations/index.js";
import { createLogger } from "../../src/telemetry/logger.js";
import { describePartitions } from "../contract/partitions-contract.js";
import { startPostgres } from "../support/postgres-server.js";
import { until } from "../support/until.js";

describePartitions("partitions of PostgreSQL", async () => {
  // A server that keeps another time.
  const server = await startPostgres({ settings: { timezone: "Pacific/Auckland" } });
  const open = () => openPostgresDatabase({ dsn: server.dsn(), entities, migrations });
  const [database, ...others] = [await open(), await open(), await open(), await open()];
  return {
    database: database!,
    others,
    drop: async () => {
      await Promise.all([database!, ...others].map((each) => each.close()));
      await server.remove();
    },
  };
});

test("a table in use keeps nobody waiting for its partitions, which come when it is free", async () => {
  const server = await startPostgres();
  const settings = { statementTimeoutMs: 2_500 };
  const database = await openPostgresDatabase({ dsn: server.dsn(), settings, entities, migrations });
  const partitions = new PartitionService(database, [outboxPartitions(30)], createLogger("silent"));
  const reader = new pg.Client(server.connection());
  await reader.connect();
  try {
    await reader.query("BEGIN; SELECT count(*) FROM outbox_events");
    let over = false;
    const now = new Date("2071-05-07T00:00:00Z");
    const maintaining = partitions.maintain(now).finally(() => (over = true));
    const waiting = () =>
      server.query(
        "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ~ '^(LOCK|ALTER|DROP|CREATE) TABLE'",
      );
    await until(async () => (await waiting()).length > 0);
    // Queues behind the change that waits: for half a second at most, where a statement may take 2.5.
    for (let i = 0; i < 20; i++) {
      await database.dataSource.query(
        "INSERT INTO outbox_events (transaction_id, topic, subject, payload, at) VALUES (1, 'job', '{}', '{}', now())",
      );
      await database.dataSource.query("SELECT count(*) FROM outbox_events");
    }
    expect(over).toBe(false);
    await reader.query("COMMIT");
    await maintaining;
    // What the reader kept in use may have been left for the next run.
    await partitions.maintain(now);
    const rows = await server.query("SELECT FROM pg_class WHERE relname = 'outbox_events_20710504_20710511'");
    expect(rows).toHaveLength(1);
  } finally {
    await reader.end();
    await database.close();
    await server.remove();
  }
});
