import type { MigrationInterface, QueryRunner } from "typeorm";

/** Who did what, and the chain of digests over it: both by month, and append-only. */
export class Audit1798100000000 implements MigrationInterface {
  readonly name = "Audit1798100000000";

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(TABLES);
    for (const table of ["audit_entries", "audit_seals"]) {
      await runner.query(`CREATE TABLE partitions.${table}_default PARTITION OF ${table} DEFAULT`);
      for (const { from, to } of await months(runner)) {
        await runner.query(
          `CREATE TABLE partitions.${table}_${from}_${to} PARTITION OF ${table}
           FOR VALUES FROM ('${from} 00:00Z') TO ('${to} 00:00Z')`,
        );
      }
      await makeAppendOnly(runner, table);
    }
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query("DROP TABLE audit_seals; DROP TABLE audit_entries");
  }
}

/** The present one and the two after it; the rest is made when its time comes. */
function months(runner: QueryRunner): Promise<{ from: string; to: string }[]> {
  return runner.query(
    `SELECT to_char(month, 'YYYYMMDD') AS "from", to_char(month + '1 month'::interval, 'YYYYMMDD') AS "to"
     FROM generate_series(0, 2) AS later,
       LATERAL (SELECT date_trunc('month', now() AT TIME ZONE 'UTC') + later * '1 month'::interval AS month) AS m
     ORDER BY 1`,
  ) as Promise<{ from: string; to: string }[]>;
}

/**
 * Triggers of statements fire for the table that a statement names; those of rows are copied to every partition,
 * present and to come, and hold for whoever names one of them.
 */
async function makeAppendOnly(runner: QueryRunner, table: string): Promise<void> {
  await runner.query(`
    CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ${table}
      FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
    CREATE TRIGGER append_only_rows BEFORE UPDATE OR DELETE ON ${table}
      FOR EACH ROW EXECUTE FUNCTION refuse_change()`);
  const partitions = (await runner.query(
    "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = $1::regclass",
    [table],
  )) as { name: string }[];
  for (const { name } of partitions) {
    await runner.query(
      `CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON ${name}
         FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()`,
    );
  }
}

const TABLES = `
  CREATE TABLE audit_entries (
    id bigint GENERATED ALWAYS AS IDENTITY,
    transaction_id bigint NOT NULL,
    at timestamptz(3) NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    target text,
    outcome text NOT NULL,
    request_id text NOT NULL,
    detail jsonb NOT NULL,
    CONSTRAINT audit_entries_pkey PRIMARY KEY (id, at)
  ) PARTITION BY RANGE (at);
  CREATE INDEX audit_entries_by_time ON audit_entries (at, id);
  CREATE INDEX audit_entries_by_actor ON audit_entries (actor, at, id);
  CREATE INDEX audit_entries_by_position ON audit_entries (transaction_id, id);

  CREATE TABLE audit_seals (
    number bigint NOT NULL,
    at timestamptz(3) NOT NULL,
    month date NOT NULL,
    after_transaction_id bigint NOT NULL,
    after_id bigint NOT NULL,
    last_transaction_id bigint NOT NULL,
    last_id bigint NOT NULL,
    entries integer NOT NULL,
    entries_sha256 text NOT NULL,
    previous text NOT NULL,
    digest text NOT NULL,
    CONSTRAINT audit_seals_pkey PRIMARY KEY (number, at)
  ) PARTITION BY RANGE (at)`;
