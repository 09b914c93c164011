import type { MigrationInterface, QueryRunner } from "typeorm";

/** Keys that programs call with; of a key itself only a digest is kept. */
export class ApiKeys1798000000000 implements MigrationInterface {
  readonly name = "ApiKeys1798000000000";

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE api_keys (
        id uuid NOT NULL CONSTRAINT api_keys_pkey PRIMARY KEY,
        name text NOT NULL,
        digest text NOT NULL,
        roles jsonb NOT NULL,
        grants jsonb NOT NULL,
        lifetime_days integer NOT NULL,
        created_by text NOT NULL,
        created_at timestamptz(3) NOT NULL,
        expires_at timestamptz(3) NOT NULL,
        last_used_at timestamptz(3),
        revoked_at timestamptz(3)
      );
      CREATE INDEX api_keys_by_time ON api_keys (created_at, id)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query("DROP TABLE api_keys");
  }
}
