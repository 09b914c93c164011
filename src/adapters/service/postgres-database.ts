import type pg from "pg";
import type { DataSource } from "typeorm";
import type { DatabaseConfig } from "../../config/config.js";
import type { ServedRequest, Transaction } from "../../ports/database.js";
import type { LiveText } from "../../shared/live-text.js";
import type { AdapterLog } from "../adapter-log.js";
import { RequestsUnderWay } from "../postgres/requests-under-way.js";
import {
  DatabaseUnavailableError,
  TransactionConflictError,
  translateFailure,
} from "../postgres/translate-failure.js";
import { connectDataSource, TypeormDatabase, unhurriedOn } from "../postgres/typeorm-database.js";
import type { Schema, TypeormDatabaseOptions } from "../postgres/typeorm-database.js";
import { vacuumTables } from "../postgres/vacuum-tables.js";
import { ownerDsn } from "./owner-dsn.js";
import { postgresConnection } from "./postgres-connection.js";
import { grantToApplication } from "./postgres-grants.js";
import { applyMigrations } from "./postgres-migrations.js";
import { preparePooler } from "./pooler.js";
import { awaitPostgres } from "./postgres-start.js";
import { ReadReplica } from "./read-replica.js";
import { ReadReplicas } from "./read-replicas.js";

export interface PostgresDatabaseOptions extends Schema {
  /** `postgresql://user:password@host:port/database` */
  dsn: LiveText;
  settings?: Partial<
    Omit<DatabaseConfig, LiveSetting> & { replicaDsns: readonly LiveText[]; migrationsDsn: LiveText }
  >;
  /** How long to wait for the server; once is tried without it. */
  startTimeoutMs?: number;
  log?: AdapterLog;
}

type LiveSetting = "dsn" | "replicaDsns" | "migrationsDsn";

type Requests = RequestsUnderWay<ReturnType<ReadReplicas["sourceFor"]>>;

interface Parts {
  requests: Requests;
  replicas?: ReadReplicas;
  /** Leads to the database as the tables' owner, where that is another role. */
  owner?: pg.ClientConfig;
  /** Whether the pool's sessions are a pooler's, which gives them to others between two transactions. */
  shared: boolean;
}

/** Of connections, for requests and jobs together. */
const POOL_SIZE = 20;
const STATEMENT_TIMEOUT_MS = 30_000;
const LOCK_TIMEOUT_MS = 10_000;
const REPLICA_MAX_LAG_MS = 5_000;
/** The server ends a statement itself when its time is over; one that has not said so by then is gone. */
const SILENCE_AFTER_MS = 5_000;

/** A PostgreSQL server with pgvector, and those that follow it. */
export class PostgresDatabase extends TypeormDatabase {
  readonly vectorSearch = "hnsw";

  /** For what speaks to PostgreSQL by itself: options for `pg` that lead to this database, and set no time-outs. */
  readonly connection: pg.ClientConfig;

  private constructor(
    dataSource: DataSource,
    options: TypeormDatabaseOptions,
    private readonly parts: Parts,
  ) {
    super(dataSource, options);
    this.connection = options.connection;
  }

  /**
   * Connects and applies what migrations are missing. Replicas are not waited for.
   * @throws {UnavailableError} when the server cannot be reached or refuses the credentials
   * @throws {PreconditionFailedError} when it lacks pgvector, or a file for TLS cannot be read
   */
  static async open(options: PostgresDatabaseOptions): Promise<PostgresDatabase> {
    const { settings = {}, log } = options;
    const { statementTimeoutMs = STATEMENT_TIMEOUT_MS, lockTimeoutMs = LOCK_TIMEOUT_MS } = settings;
    const { dsn, startTimeoutMs = 0 } = options;
    const connection = await postgresConnection(dsn, settings.tls ?? {});
    await awaitPostgres("ML_VECTOR_DB_DSN", connection, { timeoutMs: startTimeoutMs, log });
    const owner =
      settings.migrationsDsn === undefined
        ? undefined
        : await postgresConnection(ownerDsn(settings.migrationsDsn), settings.tls ?? {});
    await applyMigrations(options, owner ?? connection, log);
    if (owner) await grantToApplication(owner, connection);
    const requests: Requests = new RequestsUnderWay();
    const timeOuts = {
      statement_timeout: statementTimeoutMs,
      lock_timeout: lockTimeoutMs,
      // A process that falls silent amid a transaction keeps its locks from others no longer than they would wait.
      idle_in_transaction_session_timeout: lockTimeoutMs,
    };
    const wiring = {
      ...options,
      ...{ connection, requests, pooled: timeOuts },
      poolSize: settings.poolSize ?? POOL_SIZE,
      silenceMs: statementTimeoutMs + SILENCE_AFTER_MS,
    };
    const shared =
      settings.pooler === undefined
        ? undefined
        : await postgresConnection(dsn, settings.tls ?? {}, settings.pooler);
    if (shared) await preparePooler({ direct: connection, pooled: shared, timeOuts, startTimeoutMs, log });
    const dataSource = await connectDataSource(
      shared ? { ...wiring, connection: shared, pooled: {} } : wiring,
    );
    const replicas = await replicasOf(dataSource, wiring, settings);
    return new PostgresDatabase(dataSource, wiring, {
      requests,
      replicas,
      owner,
      shared: shared !== undefined,
    });
  }

  override async read<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    const under = this.parts.requests.get();
    const caller = under?.request.readsAs;
    if (!under || caller === undefined || !this.parts.replicas) return super.read(work);
    // Chosen once: another replica might have come less far.
    const chosen = await (under.source ??= this.parts.replicas.sourceFor(caller));
    if (!chosen) return super.read(work);
    try {
      return await work(chosen.source.manager);
    } catch (error) {
      if (!(error instanceof DatabaseUnavailableError)) throw error;
      under.source = Promise.resolve(undefined);
      // A query that stood in the way of what it replays is no sign of its end.
      if (!(error instanceof TransactionConflictError)) chosen.replica.leaveOut();
      return super.read(work);
    }
  }

  override serve<T>(request: ServedRequest, work: () => T): T {
    return this.parts.requests.run(request, work);
  }

  override abandon(request: ServedRequest): void {
    this.parts.requests.abandon(request);
  }

  override async acknowledge(caller: string): Promise<void> {
    await this.parts.replicas?.note(caller);
  }

  override async maintain(): Promise<void> {
    await this.parts.replicas?.forget();
    const vacuum = (session: Transaction) => vacuumTables((sql) => session.query(sql));
    await this.unhurried(vacuum);
    if (this.parts.owner) await this.asOwner(vacuum);
  }

  override unhurried<T>(work: (session: Transaction) => Promise<T>): Promise<T> {
    return this.parts.shared ? onConnectionTo(this.connection, work) : super.unhurried(work);
  }

  override asOwner<T>(work: (session: Transaction) => Promise<T>): Promise<T> {
    return this.parts.owner ? onConnectionTo(this.parts.owner, work) : super.asOwner(work);
  }

  override async close(): Promise<void> {
    await this.parts.replicas?.close();
    await super.close();
  }
}

/** On one that is made for it: it is seldom needed. */
async function onConnectionTo<T>(
  connection: pg.ClientConfig,
  work: (session: Transaction) => Promise<T>,
): Promise<T> {
  const schema = { entities: [], migrations: [] };
  const dataSource = await connectDataSource({ ...schema, connection, poolSize: 1 }).catch(
    (error: unknown) => {
      throw translateFailure(error);
    },
  );
  try {
    return await unhurriedOn(dataSource, work);
  } finally {
    await dataSource.destroy();
  }
}

export function openPostgresDatabase(options: PostgresDatabaseOptions): Promise<PostgresDatabase> {
  return PostgresDatabase.open(options);
}

async function replicasOf(
  primary: DataSource,
  wiring: TypeormDatabaseOptions,
  {
    replicaDsns = [],
    replicaMaxLagMs = REPLICA_MAX_LAG_MS,
    tls = {},
  }: NonNullable<PostgresDatabaseOptions["settings"]>,
): Promise<ReadReplicas | undefined> {
  if (replicaDsns.length === 0) return undefined;
  const replicas = replicaDsns.map(async (dsn, i) => {
    const options = { ...wiring, migrations: [], connection: await postgresConnection(dsn, tls) };
    return new ReadReplica(`ML_VECTOR_DB_REPLICA_DSNS[${i}]`, options, wiring.log);
  });
  return new ReadReplicas(primary, await Promise.all(replicas), replicaMaxLagMs);
}
