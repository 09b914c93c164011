import type { QueryRunner } from "typeorm";
import type { LockingMigration } from "./locking-migration.js";
import { partitionTable } from "./partition-table.js";

/** The outbox by week: readers look into few partitions, and old events go as a whole. */
export class PartitionLocksOutboxEvents1797000000002 implements LockingMigration {
  readonly name = "PartitionLocksOutboxEvents1797000000002";
  readonly locks = {
    tables: ["outbox_events"],
    reason:
      "A table becomes a partitioned one only by copying: about a second for each 200,000 events of the last days.",
  };

  async up(runner: QueryRunner): Promise<void> {
    await partitionTable(runner, {
      table: "outbox_events",
      column: "at",
      create: TABLE,
      span: "week",
      since: "2026-01-01",
      ahead: 2,
      columns: "id, transaction_id, topic, subject, payload, at",
    });
    await goOnCounting(runner, "partitions.outbox_events", "outbox_events");
    await runner.query("DROP TABLE partitions.outbox_events");
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE outbox_events SET SCHEMA partitions;
      ALTER INDEX partitions.outbox_events_pkey RENAME TO partitioned_events_pkey`);
    await runner.query(
      TABLE.replace("PARTITION BY RANGE (at)", "").replace("PRIMARY KEY (id, at)", "PRIMARY KEY (id)"),
    );
    await runner.query(
      "INSERT INTO outbox_events OVERRIDING SYSTEM VALUE SELECT * FROM partitions.outbox_events",
    );
    await goOnCounting(runner, "partitions.outbox_events", "outbox_events");
    await runner.query("DROP TABLE partitions.outbox_events");
  }
}

/** Also where no event is left: readers remember ids. */
async function goOnCounting(runner: QueryRunner, from: string, to: string): Promise<void> {
  const [{ sequence }] = (await runner.query(
    `SELECT pg_get_serial_sequence('${from}', 'id') AS sequence`,
  )) as [{ sequence: string }];
  await runner.query(
    `SELECT setval(pg_get_serial_sequence('${to}', 'id'), last_value, is_called) FROM ${sequence}`,
  );
}

const TABLE = `
  CREATE TABLE outbox_events (
    id bigint GENERATED ALWAYS AS IDENTITY,
    transaction_id bigint NOT NULL,
    topic text NOT NULL,
    subject jsonb NOT NULL,
    payload jsonb NOT NULL,
    at timestamptz NOT NULL,
    CONSTRAINT outbox_events_pkey PRIMARY KEY (id, at)
  ) PARTITION BY RANGE (at);
  CREATE INDEX outbox_events_by_topic ON outbox_events (topic, transaction_id, id)`;
