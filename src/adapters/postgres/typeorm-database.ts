import pg from "pg";
import type { DataSource, DataSourceOptions } from "typeorm";
import type { Database, ServedRequest, Transaction } from "../../ports/database.js";
import type { AdapterLog } from "../adapter-log.js";
import { watchedPools } from "../../telemetry/watched-pools.js";
import { assertAnswers } from "../assert-answers.js";
import { GuardedDataSource } from "./guarded-data-source.js";
import { NotificationListener } from "./notification-listener.js";
import type { RequestsUnderWay } from "./requests-under-way.js";
import { TransactionConflictError, translateLostSession } from "./translate-failure.js";
import { TypeormLog } from "./typeorm-log.js";
import { TracedQueries } from "./traced-queries.js";

/** The platform's tables: classes, since adapters know no module. */
export interface Schema {
  entities: DataSourceOptions["entities"];
  /** In the order in which they are applied. */
  migrations: DataSourceOptions["migrations"];
}

export interface TypeormDatabaseOptions extends Schema {
  /** How `pg` reaches the server. What is a getter of it is asked for each connection. */
  connection: pg.ClientConfig;
  /** How the connections of the pool differ, e.g. in their time-outs. */
  pooled?: pg.ClientConfig;
  poolSize: number;
  /** A server that leaves a statement without an answer for longer is given up; never without it. */
  silenceMs?: number;
  /** Statements end with the requests that they belong to. */
  requests?: RequestsUnderWay;
  log?: AdapterLog;
}

/** How often a transaction that lost against others runs again. */
const MOST_REPETITIONS = 3;

/** What both tiers share: TypeORM over `pg`. */
export abstract class TypeormDatabase implements Database {
  abstract readonly vectorSearch: Database["vectorSearch"];

  private readonly listener: NotificationListener;

  protected constructor(
    readonly dataSource: DataSource,
    options: TypeormDatabaseOptions,
  ) {
    this.listener = new NotificationListener(options.connection, brokenConnection(options.log));
    watchedPools.set("primary", poolOf(dataSource));
  }

  async transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    for (let repetition = 0; ; repetition++) {
      try {
        return await this.dataSource.transaction(work);
      } catch (error) {
        const conflict = error instanceof TransactionConflictError;
        if (!conflict || repetition === MOST_REPETITIONS) throw translateLostSession(error);
      }
    }
  }

  read<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    return work(this.dataSource.manager);
  }

  serve<T>(_request: ServedRequest, work: () => T): T {
    return work();
  }

  abandon(_request: ServedRequest): void {
    // One backend cannot be told to stop.
  }

  acknowledge(_caller: string): Promise<void> {
    return Promise.resolve();
  }

  unhurried<T>(work: (session: Transaction) => Promise<T>): Promise<T> {
    return unhurriedOn(this.dataSource, work);
  }

  /** Who makes the tables owns them, unless a tier has it otherwise. */
  asOwner<T>(work: (session: Transaction) => Promise<T>): Promise<T> {
    return this.unhurried(work);
  }

  listen(channel: string, wake: (payload: string) => void): Promise<() => Promise<void>> {
    return this.listener.listen(channel, wake);
  }

  check(): Promise<void> {
    return assertAnswers("the database", this.dataSource.query("SELECT 1"));
  }

  abstract maintain(): Promise<void>;

  async close(): Promise<void> {
    await this.listener.close();
    if (this.dataSource.isInitialized) await this.dataSource.destroy();
  }
}

/** Runs statements on a connection of their own, without the time-outs of requests. */
export async function unhurriedOn<T>(
  dataSource: DataSource,
  work: (session: Transaction) => Promise<T>,
): Promise<T> {
  const runner = dataSource.createQueryRunner();
  (runner.data as { unhurried?: boolean }).unhurried = true;
  try {
    await runner.query("SET statement_timeout = 0; SET lock_timeout = 0");
    return await work(runner.manager);
  } catch (error) {
    throw translateLostSession(error);
  } finally {
    await runner.query("RESET ALL").catch(() => undefined);
    await runner.release();
  }
}

/** Connects; migrations are left to the caller. */
export async function connectDataSource(options: TypeormDatabaseOptions): Promise<DataSource> {
  const settings: DataSourceOptions = {
    type: "postgres",
    // The one whose errors we know by their class; from a bundle TypeORM would find another copy of it.
    driver: pg,
    entities: options.entities,
    migrations: options.migrations,
    subscribers: [TracedQueries],
    migrationsTransactionMode: "each",
    poolSize: options.poolSize,
    // Extensions belong to the migrations; uuids come from gen_random_uuid(), which is built in.
    installExtensions: false,
    uuidExtension: "pgcrypto",
    poolErrorHandler: brokenConnection(options.log),
    logger: new TypeormLog(options.log),
    extra: { ...options.connection, ...options.pooled },
  };
  const dataSource = await new GuardedDataSource(settings, options).initialize();
  askAnew(dataSource, options.connection);
  return dataSource;
}

export function poolOf({ driver }: DataSource): pg.Pool {
  return (driver as unknown as { master: pg.Pool }).master;
}

/** The pool has taken what the getters said first. */
function askAnew(dataSource: DataSource, connection: pg.ClientConfig): void {
  const { options } = poolOf(dataSource);
  for (const [name, property] of Object.entries(Object.getOwnPropertyDescriptors(connection))) {
    if (property.get) Object.defineProperty(options, name, property);
  }
}

/** Connections that break while nobody uses them are made anew; their errors would end the process. */
function brokenConnection(log: AdapterLog | undefined): (error: Error) => void {
  return (err) => log?.warn({ err }, "a connection to the database broke");
}
