import pg from "pg";
import type { DataSource } from "typeorm";
import { UnavailableError } from "../../shared/errors.js";
import type { AdapterLog } from "../adapter-log.js";
import { connectDataSource, TypeormDatabase } from "../postgres/typeorm-database.js";
import type { Schema } from "../postgres/typeorm-database.js";
import { vacuumTables } from "../postgres/vacuum-tables.js";

export interface PostgresDatabaseOptions extends Schema {
  /** `postgresql://user:password@host:port/database` */
  dsn: string;
  poolSize?: number;
  log?: AdapterLog;
}

/** Processes that start together apply migrations one after the other: the bytes of "254c". */
const MIGRATION_LOCK = 0x32353463;

/** A PostgreSQL server with pgvector. */
export class PostgresDatabase extends TypeormDatabase {
  readonly vectorSearch = "hnsw";

  /**
   * Connects and applies what migrations are missing.
   * @throws {UnavailableError} when the server cannot be reached or refuses the credentials
   */
  static async open(options: PostgresDatabaseOptions): Promise<PostgresDatabase> {
    const connection = { connectionString: options.dsn, keepAlive: true };
    const wiring = { ...options, connection, poolSize: options.poolSize ?? 20 };
    const dataSource = await connectDataSource(wiring).catch((error: NodeJS.ErrnoException) => {
      // Where a name has several addresses, the failures of all of them come without a message.
      const reason = error.message || error.code;
      throw new UnavailableError(`the database of ML_VECTOR_DB_DSN does not answer: ${reason}`, {
        cause: error,
      });
    });
    try {
      await migrate(dataSource, connection);
    } catch (error) {
      await dataSource.destroy();
      throw error;
    }
    return new PostgresDatabase(dataSource, wiring);
  }

  override async maintain(): Promise<void> {
    const session = this.dataSource.createQueryRunner();
    try {
      await session.query("SET statement_timeout = 0");
      await vacuumTables((sql) => session.query(sql));
    } finally {
      await session.query("RESET statement_timeout");
      await session.release();
    }
  }
}

export function openPostgresDatabase(options: PostgresDatabaseOptions): Promise<PostgresDatabase> {
  return PostgresDatabase.open(options);
}

async function migrate(dataSource: DataSource, connection: pg.ClientConfig): Promise<void> {
  const client = new pg.Client(connection);
  await client.connect();
  try {
    await client.query("SELECT pg_advisory_lock($1)", [MIGRATION_LOCK]);
    await dataSource.runMigrations();
  } finally {
    // Ends the session, and with it the lock.
    await client.end();
  }
}
