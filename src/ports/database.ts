import type { DataSource, EntityManager } from "typeorm";

/** One open transaction; only repositories made within it may be used inside. */
export type Transaction = EntityManager;

/** PostgreSQL with pgvector, whichever tier provides it. */
export interface Database {
  /** Entities are registered and migrations applied. */
  readonly dataSource: DataSource;

  /**
   * How vectors are searched: by HNSW indexes, or row by row where one backend serves everybody and building an
   * index would hold it for seconds.
   */
  readonly vectorSearch: "hnsw" | "exact";

  /** Runs `work` in one transaction: committed when it resolves, rolled back when it throws. */
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T>;

  /**
   * Calls `wake` at every NOTIFY on `channel`, and once after each reconnection, since
   * notifications sent meanwhile are lost.
   * @returns stops listening
   */
  listen(channel: string, wake: (payload: string) => void): Promise<() => Promise<void>>;

  /** @throws {UnavailableError} when the database does not answer */
  check(): Promise<void>;

  /** VACUUM and ANALYZE of every table, however long it takes, and CHECKPOINT where no server does so by itself. */
  maintain(): Promise<void>;

  close(): Promise<void>;
}
