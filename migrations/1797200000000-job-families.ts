import type { MigrationInterface, QueryRunner } from "typeorm";

/** Jobs that wait for others, and deliveries that ended with their worker. */
export class JobFamilies1797200000000 implements MigrationInterface {
  readonly name = "JobFamilies1797200000000";

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE jobs
        ADD COLUMN lost integer NOT NULL DEFAULT 0,
        ADD COLUMN awaits integer NOT NULL DEFAULT 0,
        ADD COLUMN parent_id uuid CONSTRAINT jobs_parent_fkey REFERENCES jobs ON DELETE CASCADE;
      CREATE INDEX jobs_by_parent ON jobs (parent_id, created_at, id) WHERE parent_id IS NOT NULL`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query("ALTER TABLE jobs DROP COLUMN lost, DROP COLUMN awaits, DROP COLUMN parent_id");
  }
}
