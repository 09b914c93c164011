import type { QueryRunner } from "typeorm";
import type { LockingMigration } from "./locking-migration.js";

/** Models whose production asks for a second person, and promotions that wait for one. */
export class FourEyesLocksModels1798000000001 implements LockingMigration {
  readonly name = "FourEyesLocksModels1798000000001";
  readonly locks = {
    tables: ["models"],
    reason:
      "A column with a constant default is noted in the catalogue alone: it takes a moment, however many models.",
  };

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      SET LOCAL lock_timeout = '5s';
      ALTER TABLE models ADD COLUMN four_eyes boolean NOT NULL DEFAULT false;
      CREATE TABLE promotion_requests (
        id uuid NOT NULL CONSTRAINT promotion_requests_pkey PRIMARY KEY,
        model_id uuid NOT NULL,
        version_id uuid NOT NULL,
        from_stage text NOT NULL,
        to_stage text NOT NULL,
        expected_current integer,
        reason text,
        requested_by text NOT NULL,
        requester text NOT NULL,
        requested_at timestamptz(3) NOT NULL,
        status text NOT NULL DEFAULT 'PENDING',
        closed_by text,
        closed_at timestamptz(3)
      );
      CREATE UNIQUE INDEX promotion_requests_one_pending ON promotion_requests (model_id) WHERE status = 'PENDING'`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TABLE promotion_requests;
      ALTER TABLE models DROP COLUMN four_eyes`);
  }
}
