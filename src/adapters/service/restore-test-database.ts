import type { DatabaseRestorer, RunQuery } from "../../ports/database-dumper.js";
import { UnavailableError } from "../../shared/errors.js";
import { connectedTo, PostgresRestorer } from "./postgres-restorer.js";

const VARIABLE = "ML_RESTORE_TEST_DSN";

/** Made for a test and dropped after it, also the one that a test which was killed has left: nobody else's has the name. */
const SCRATCH = "restore_test_of_254carbon";

const LOCK = "pg_try_advisory_lock(hashtext('254carbon'), hashtext('restore-test'))";

export interface RestoreTestDatabaseOptions {
  /** Of any database on the server, by a role that may make others; that one is not touched. */
  dsn: string;
  bin?: string;
}

/** A database of its own on a server that restores are tested on, one test at a time. */
export class RestoreTestDatabase implements DatabaseRestorer {
  readonly kind = "pg_dump";
  private readonly restorer: PostgresRestorer;

  constructor(private readonly options: RestoreTestDatabaseOptions) {
    const scratch = new URL(options.dsn);
    scratch.pathname = `/${SCRATCH}`;
    // Another server than the platform's: how it is reached, its DSN says.
    this.restorer = new PostgresRestorer({
      ...{ dsn: scratch.href, variable: VARIABLE, tls: {} },
      bin: options.bin,
    });
  }

  /** Whether one could be made. */
  async assertEmpty(): Promise<void> {
    await this.alone(async () => undefined);
  }

  async restore(
    file: string,
    serverVersion: string,
    finish: (query: RunQuery) => Promise<void>,
  ): Promise<void> {
    await this.alone(async (query) => {
      await query(`CREATE DATABASE ${SCRATCH}`);
      await this.restorer.restore(file, serverVersion, finish);
    });
  }

  /** @throws {UnavailableError} while another test has the server */
  private alone(work: (query: RunQuery) => Promise<void>): Promise<void> {
    return connectedTo({ dsn: this.options.dsn, variable: VARIABLE, tls: {} }, async (query) => {
      const [lock] = await query<{ taken: boolean }>(`SELECT ${LOCK} AS taken`);
      if (!lock!.taken)
        throw new UnavailableError(`another test of a restore is using the server of ${VARIABLE}`);
      const drop = () => query(`DROP DATABASE IF EXISTS ${SCRATCH} WITH (FORCE)`);
      await drop();
      try {
        await work(query);
      } finally {
        await drop();
      }
    });
  }
}
