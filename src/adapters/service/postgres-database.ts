import type pg from "pg";
import type { DataSource } from "typeorm";
import type { DatabaseConfig } from "../../config/config.js";
import type { AdapterLog } from "../adapter-log.js";
import { connectDataSource, TypeormDatabase } from "../postgres/typeorm-database.js";
import type { Schema, TypeormDatabaseOptions } from "../postgres/typeorm-database.js";
import { vacuumTables } from "../postgres/vacuum-tables.js";
import { postgresConnection } from "./postgres-connection.js";
import { applyMigrations } from "./postgres-migrations.js";
import { awaitPostgres } from "./postgres-start.js";

export interface PostgresDatabaseOptions extends Schema {
  /** `postgresql://user:password@host:port/database` */
  dsn: string;
  settings?: Partial<Omit<DatabaseConfig, "dsn">>;
  /** How long to wait for the server; once is tried without it. */
  startTimeoutMs?: number;
  log?: AdapterLog;
}

/** Of connections, for requests and jobs together. */
const POOL_SIZE = 20;
const STATEMENT_TIMEOUT_MS = 30_000;
const LOCK_TIMEOUT_MS = 10_000;
/** The server ends a statement itself when its time is over; one that has not said so by then is gone. */
const SILENCE_AFTER_MS = 5_000;

/** A PostgreSQL server with pgvector. */
export class PostgresDatabase extends TypeormDatabase {
  readonly vectorSearch = "hnsw";

  private constructor(
    dataSource: DataSource,
    options: TypeormDatabaseOptions,
    /** For what speaks to PostgreSQL by itself: options for `pg` that lead to this database, without time-outs. */
    readonly connection: pg.ClientConfig,
  ) {
    super(dataSource, options);
  }

  /**
   * Connects and applies what migrations are missing.
   * @throws {UnavailableError} when the server cannot be reached or refuses the credentials
   * @throws {PreconditionFailedError} when it lacks pgvector, or a file for TLS cannot be read
   */
  static async open(options: PostgresDatabaseOptions): Promise<PostgresDatabase> {
    const { settings = {}, log } = options;
    const { statementTimeoutMs = STATEMENT_TIMEOUT_MS, lockTimeoutMs = LOCK_TIMEOUT_MS } = settings;
    const connection = await postgresConnection(options.dsn, settings.tls ?? {});
    await awaitPostgres("ML_VECTOR_DB_DSN", connection, { timeoutMs: options.startTimeoutMs ?? 0, log });
    await applyMigrations(options, connection, log);
    const wiring = {
      ...options,
      connection,
      pooled: { statement_timeout: statementTimeoutMs, lock_timeout: lockTimeoutMs },
      poolSize: settings.poolSize ?? POOL_SIZE,
      silenceMs: statementTimeoutMs + SILENCE_AFTER_MS,
    };
    return new PostgresDatabase(await connectDataSource(wiring), wiring, connection);
  }

  override async maintain(): Promise<void> {
    await this.unhurried((session) => vacuumTables((sql) => session.query(sql)));
  }
}

export function openPostgresDatabase(options: PostgresDatabaseOptions): Promise<PostgresDatabase> {
  return PostgresDatabase.open(options);
}
