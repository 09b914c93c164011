import type { QueryRunner } from "typeorm";
import type { LockingMigration } from "./locking-migration.js";
import { partitionTable } from "./partition-table.js";

/** The prediction log by month, so that what is too old goes as a whole. */
export class PartitionLocksInferenceRecords1797000000001 implements LockingMigration {
  readonly name = "PartitionLocksInferenceRecords1797000000001";
  readonly locks = {
    tables: ["inference_records"],
    reason:
      "A table becomes a partitioned one only by copying: about a second for each 100,000 predictions. Predictions go " +
      "on meanwhile: their records wait in memory.",
  };

  async up(runner: QueryRunner): Promise<void> {
    await partitionTable(runner, {
      table: "inference_records",
      column: "at",
      create: TABLE,
      span: "month",
      since: "2024-01-01",
      ahead: 2,
      columns: "id, kind, version_id, caller, at, latency_ms, inputs, outputs",
    });
    await runner.query("DROP TABLE partitions.inference_records");
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE inference_records RENAME TO partitioned_records;
      ALTER INDEX inference_records_pkey RENAME TO partitioned_records_pkey;
      ALTER INDEX inference_records_by_time RENAME TO partitioned_records_by_time`);
    await runner.query(
      TABLE.replace("PARTITION BY RANGE (at)", "").replace("PRIMARY KEY (id, at)", "PRIMARY KEY (id)"),
    );
    await runner.query(`
      INSERT INTO inference_records SELECT * FROM partitioned_records;
      DROP TABLE partitioned_records`);
  }
}

const TABLE = `
  CREATE TABLE inference_records (
    id uuid NOT NULL,
    kind text NOT NULL,
    version_id uuid NOT NULL,
    caller text NOT NULL,
    at timestamptz NOT NULL,
    latency_ms double precision NOT NULL,
    inputs json,
    outputs json,
    CONSTRAINT inference_records_pkey PRIMARY KEY (id, at)
  ) PARTITION BY RANGE (at);
  CREATE INDEX inference_records_by_time ON inference_records (at)`;
