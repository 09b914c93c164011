import type { QueryRunner } from "typeorm";
import type { LockingMigration } from "./locking-migration.js";

/** Which files of a version have been sent for it. */
export class ReceivedFilesLocksVersions1798200000000 implements LockingMigration {
  readonly name = "ReceivedFilesLocksVersions1798200000000";
  readonly locks = {
    tables: ["model_versions"],
    reason:
      "A column with a constant default is noted in the catalogue alone: it takes a moment, however many versions.",
  };

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      SET LOCAL lock_timeout = '5s';
      ALTER TABLE model_versions ADD COLUMN received text[] NOT NULL DEFAULT '{}'`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query("ALTER TABLE model_versions DROP COLUMN received");
  }
}
