import type { MigrationInterface, QueryRunner } from "typeorm";

/** Parts of large backtests, computed by jobs of their own. A foreign key would lock the runs while it is made. */
export class TrainingSegments1797200000001 implements MigrationInterface {
  readonly name = "TrainingSegments1797200000001";

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE training_segments (
        run_id uuid NOT NULL,
        segment integer NOT NULL,
        data_sha256 text NOT NULL,
        from_origin integer NOT NULL,
        to_origin integer NOT NULL,
        forecasts bytea NOT NULL,
        CONSTRAINT training_segments_pkey PRIMARY KEY (run_id, segment)
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query("DROP TABLE training_segments");
  }
}
