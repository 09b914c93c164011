import type { MigrationInterface, QueryRunner } from "typeorm";

/**
 * Transaction numbers begin anew in each database. What is added to them lets the positions of events grow on when a
 * platform moves or is restored, so that cursors of before mean what they meant.
 */
export class EventOrigin1797500000000 implements MigrationInterface {
  readonly name = "EventOrigin1797500000000";

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE event_origin (
        singleton boolean NOT NULL DEFAULT true CONSTRAINT event_origin_pkey PRIMARY KEY CHECK (singleton),
        added bigint NOT NULL
      );
      INSERT INTO event_origin (added) VALUES (0)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query("DROP TABLE event_origin");
  }
}
