import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type pg from "pg";
import type { DataSource } from "typeorm";
import type { AdapterLog } from "../adapter-log.js";
import { connectDataSource, TypeormDatabase } from "../postgres/typeorm-database.js";
import type { Schema, TypeormDatabaseOptions } from "../postgres/typeorm-database.js";
import { vacuumTables } from "../postgres/vacuum-tables.js";
import { discardCluster, prepareCluster } from "./data-folder.js";
import { DatabaseServer } from "./database-server.js";
import { FolderLock } from "./folder-lock.js";
import { PACKAGE_ROOT } from "../../shared/package-root.js";

export interface EmbeddedDatabaseOptions extends Schema {
  /** Created when missing; one process at a time. */
  dataDir: string;
  /** Where a prepared cluster is kept for the next first start; `.cache` of the package by default. */
  cacheDir?: string;
  log?: AdapterLog;
  /** The engine has crashed and could not be restarted: nothing works any more, and the process should end. */
  onCrash?: (error: Error) => void;
  /** How long a session waits for the single backend. */
  acquireTimeoutMs?: number;
  idleInTransactionTimeoutMs?: number;
  poolSize?: number;
}

const DEFAULT_CACHE = join(PACKAGE_ROOT, ".cache/embedded-database");

/** PostgreSQL without a server: PGlite in a worker thread, behind the wire protocol. */
export class EmbeddedDatabase extends TypeormDatabase {
  readonly vectorSearch = "exact";

  private constructor(
    dataSource: DataSource,
    options: TypeormDatabaseOptions,
    private readonly server: DatabaseServer,
    private readonly lock: FolderLock,
  ) {
    super(dataSource, options);
  }

  /**
   * Opens the database in `dataDir` and applies what migrations are missing.
   * @throws {PreconditionFailedError} when another process has the folder open
   */
  static async open(options: EmbeddedDatabaseOptions): Promise<EmbeddedDatabase> {
    await mkdir(options.dataDir, { recursive: true });
    const lock = await FolderLock.acquire(options.dataDir);
    let server: DatabaseServer | undefined;
    let dataSource: DataSource | undefined;
    try {
      server = await startServer(options);
      const wiring = { ...options, connection: connectionOf(server), poolSize: options.poolSize ?? 10 };
      dataSource = await connectDataSource(wiring);
      await dataSource.runMigrations();
      return new EmbeddedDatabase(dataSource, wiring, server, lock);
    } catch (error) {
      await dataSource?.destroy();
      await server?.close();
      await lock.release();
      throw error;
    }
  }

  /** For what speaks to PostgreSQL by itself: options for `pg` that lead to this database. */
  get connection(): pg.ClientConfig {
    return connectionOf(this.server);
  }

  override async maintain(): Promise<void> {
    await vacuumTables((sql) => this.dataSource.query(sql));
    await this.dataSource.query("CHECKPOINT");
  }

  override async close(): Promise<void> {
    await super.close();
    await this.server.close();
    await this.lock.release();
  }
}

export function openEmbeddedDatabase(options: EmbeddedDatabaseOptions): Promise<EmbeddedDatabase> {
  return EmbeddedDatabase.open(options);
}

async function startServer(options: EmbeddedDatabaseOptions): Promise<DatabaseServer> {
  const cacheDir = options.cacheDir ?? DEFAULT_CACHE;
  const start = (folder: string) =>
    DatabaseServer.start(
      {
        folder,
        arbiter: {
          acquireTimeoutMs: options.acquireTimeoutMs ?? 30_000,
          idleInTransactionTimeoutMs: options.idleInTransactionTimeoutMs ?? 60_000,
        },
      },
      {
        restarting: (err) =>
          options.log?.error({ err }, "the embedded database crashed and is started again"),
        gaveUp: (err) => {
          options.log?.error({ err }, "the embedded database crashes again and again");
          options.onCrash?.(err);
        },
      },
    );
  const cluster = await prepareCluster(options.dataDir, cacheDir);
  try {
    return await start(cluster.folder);
  } catch (error) {
    if (!cluster.copiedFrom) throw error;
    options.log?.warn(
      { err: error, template: cluster.copiedFrom },
      "a prepared database did not start; making another",
    );
    await discardCluster(cluster);
    return start((await prepareCluster(options.dataDir, cacheDir)).folder);
  }
}

function connectionOf(server: DatabaseServer): pg.ClientConfig {
  return { user: "postgres", database: "postgres", stream: () => server.connect() };
}
