import type pg from "pg";
import { DataSource } from "typeorm";
import type { DataSourceOptions } from "typeorm";
import type { Database, Transaction } from "../../ports/database.js";
import type { AdapterLog } from "../adapter-log.js";
import { assertAnswers } from "../assert-answers.js";
import { NotificationListener } from "./notification-listener.js";
import { TypeormLog } from "./typeorm-log.js";
import { TracedQueries } from "./traced-queries.js";

/** The platform's tables: classes, since adapters know no module. */
export interface Schema {
  entities: DataSourceOptions["entities"];
  /** In the order in which they are applied. */
  migrations: DataSourceOptions["migrations"];
}

export interface TypeormDatabaseOptions extends Schema {
  /** How `pg` reaches the server. */
  connection: pg.ClientConfig;
  poolSize: number;
  log?: AdapterLog;
}

/** What both tiers share: TypeORM over `pg`. */
export abstract class TypeormDatabase implements Database {
  abstract readonly vectorSearch: Database["vectorSearch"];

  private readonly listener: NotificationListener;

  protected constructor(
    readonly dataSource: DataSource,
    options: TypeormDatabaseOptions,
  ) {
    this.listener = new NotificationListener(options.connection, brokenConnection(options.log));
  }

  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.dataSource.transaction(work);
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

/** Connects; migrations are left to the caller. */
export async function connectDataSource(options: TypeormDatabaseOptions): Promise<DataSource> {
  const dataSource = new DataSource({
    type: "postgres",
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
    extra: options.connection,
  });
  return dataSource.initialize();
}

/** Connections that break while nobody uses them are made anew; their errors would end the process. */
function brokenConnection(log: AdapterLog | undefined): (error: Error) => void {
  return (err) => log?.warn({ err }, "a connection to the database broke");
}
