import type { MigrationInterface, QueryRunner } from "typeorm";

/** Backups as rows; versions whose artifact a cleanup has removed, and those that none may touch. */
export class Upkeep1797100000000 implements MigrationInterface {
  readonly name = "Upkeep1797100000000";

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE backups (
        id uuid NOT NULL CONSTRAINT backups_pkey PRIMARY KEY,
        job_id uuid,
        taken_at timestamptz(3) NOT NULL,
        kind text NOT NULL,
        server_version text NOT NULL,
        sha256 text NOT NULL,
        bytes bigint NOT NULL,
        row_count bigint NOT NULL,
        artifact_count integer NOT NULL,
        artifact_bytes bigint NOT NULL,
        mirrored_at timestamptz(3)
      );
      CREATE INDEX backups_by_time ON backups (taken_at, id);

      ALTER TABLE model_versions
        ADD COLUMN protected boolean NOT NULL DEFAULT false,
        ADD COLUMN artifact_removed_at timestamptz(3)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE model_versions DROP COLUMN artifact_removed_at, DROP COLUMN protected;
      DROP TABLE backups`);
  }
}
