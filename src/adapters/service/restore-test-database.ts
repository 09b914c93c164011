import type { DatabaseRestorer, RunQuery } from "../../ports/database-dumper.js";
import { PreconditionFailedError } from "../../shared/errors.js";
import { EMPTY_AGAIN, PostgresRestorer } from "./postgres-restorer.js";
import type { PostgresRestorerOptions } from "./postgres-restorer.js";

/** Present while a test fills the database: what a test that was killed has left behind may be removed, nothing else. */
const MARK = "restore_test";

const LOCK = "pg_try_advisory_lock(hashtext('254carbon'), hashtext('restore-test'))";

/** A database whose only purpose is that restores are tested in it, one at a time. */
export class RestoreTestDatabase implements DatabaseRestorer {
  readonly kind = "pg_dump";
  private readonly restorer: PostgresRestorer;

  constructor(options: Omit<PostgresRestorerOptions, "variable" | "tls">) {
    // Another server than the platform's: how it is reached, its DSN says.
    this.restorer = new PostgresRestorer({ ...options, variable: "ML_RESTORE_TEST_DSN", tls: {} });
  }

  async assertEmpty(): Promise<void> {
    await this.alone(async (query) => {
      const marked = await query(`SELECT FROM pg_namespace WHERE nspname = '${MARK}'`);
      if (marked.length > 0) await query(`${EMPTY_AGAIN}; DROP SCHEMA ${MARK}`);
    });
    await this.restorer.assertEmpty();
  }

  async restore(
    file: string,
    serverVersion: string,
    finish: (query: RunQuery) => Promise<void>,
  ): Promise<void> {
    await this.alone(async (query) => {
      await this.restorer.assertEmpty();
      await query(`CREATE SCHEMA ${MARK}`);
      try {
        await this.restorer.restore(file, serverVersion, finish);
      } finally {
        await query(`${EMPTY_AGAIN}; DROP SCHEMA ${MARK}`);
      }
    });
  }

  /** @throws {PreconditionFailedError} while another test has the database */
  private alone(work: (query: RunQuery) => Promise<void>): Promise<void> {
    return this.restorer.connected(async (query) => {
      const [lock] = await query<{ taken: boolean }>(`SELECT ${LOCK} AS taken`);
      if (!lock!.taken) {
        throw new PreconditionFailedError(
          "another test of a restore is using the database of ML_RESTORE_TEST_DSN",
        );
      }
      await work(query);
    });
  }
}
