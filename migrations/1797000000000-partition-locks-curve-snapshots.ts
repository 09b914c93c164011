import type { QueryRunner } from "typeorm";
import type { LockingMigration } from "./locking-migration.js";
import { partitionTable } from "./partition-table.js";

/** Curve snapshots by the decade of their date; they are kept for ever. */
export class PartitionLocksCurveSnapshots1797000000000 implements LockingMigration {
  readonly name = "PartitionLocksCurveSnapshots1797000000000";
  readonly locks = {
    tables: ["curve_snapshots", "curves"],
    reason:
      "A table becomes a partitioned one only by copying: about a second for each 200,000 snapshots. Its foreign key " +
      "keeps writers of curves away meanwhile.",
  };

  async up(runner: QueryRunner): Promise<void> {
    await partitionTable(runner, {
      table: "curve_snapshots",
      column: "date",
      create: TABLE,
      span: "decade",
      since: "1970-01-01",
      ahead: 1,
      columns: 'curve_id, date, revision, "values", recorded_at',
    });
    await runner.query("DROP TABLE partitions.curve_snapshots");
    await runner.query(APPEND_ONLY);
    const partitions = (await runner.query(
      "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'curve_snapshots'::regclass",
    )) as { name: string }[];
    for (const { name } of partitions) await runner.query(notToBeTruncated(name));
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE curve_snapshots RENAME TO partitioned_snapshots;
      ALTER INDEX curve_snapshots_pkey RENAME TO partitioned_snapshots_pkey;
      ALTER INDEX curve_snapshots_by_time RENAME TO partitioned_snapshots_by_time`);
    await runner.query(TABLE.replace("PARTITION BY RANGE (date)", ""));
    await runner.query(`
      INSERT INTO curve_snapshots SELECT * FROM partitioned_snapshots;
      DROP TABLE partitioned_snapshots;
      CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON curve_snapshots
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()`);
  }
}

const TABLE = `
  CREATE TABLE curve_snapshots (
    curve_id uuid NOT NULL CONSTRAINT curve_snapshots_curve_fkey REFERENCES curves (id),
    date date NOT NULL,
    revision integer NOT NULL,
    "values" double precision[] NOT NULL,
    recorded_at timestamptz NOT NULL,
    CONSTRAINT curve_snapshots_pkey PRIMARY KEY (curve_id, date, revision)
  ) PARTITION BY RANGE (date);
  CREATE INDEX curve_snapshots_by_time ON curve_snapshots (curve_id, recorded_at)`;

/**
 * Triggers of statements fire for the table that a statement names; those of rows are copied to every partition,
 * present and to come, and hold for whoever names one of them.
 */
const APPEND_ONLY = `
  CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON curve_snapshots
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
  CREATE TRIGGER append_only_rows BEFORE UPDATE OR DELETE ON curve_snapshots
    FOR EACH ROW EXECUTE FUNCTION refuse_change()`;

const notToBeTruncated = (partition: string) => `
  CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON ${partition}
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()`;
