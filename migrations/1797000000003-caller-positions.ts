import type { MigrationInterface, QueryRunner } from "typeorm";

/** How far the log must be replayed for a reader to see what a caller has written. */
export class CallerPositions1797000000003 implements MigrationInterface {
  readonly name = "CallerPositions1797000000003";

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE caller_positions (
        caller text NOT NULL CONSTRAINT caller_positions_pkey PRIMARY KEY,
        position pg_lsn NOT NULL,
        at timestamptz NOT NULL DEFAULT now()
      ) WITH (fillfactor = 50)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query("DROP TABLE caller_positions");
  }
}
