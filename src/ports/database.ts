import type { DataSource, EntityManager } from "typeorm";

/** One open transaction; only repositories made within it may be used inside. */
export type Transaction = EntityManager;

/** A request that is being served. */
export interface ServedRequest {
  /** Set while it may read from replicas: whose writes they must have. */
  readsAs?: string;
  /** Set when nobody waits for its answer any more: it begins no more statements. */
  over?: boolean;
}

/** PostgreSQL with pgvector, whichever tier provides it. */
export interface Database {
  /** Entities are registered and migrations applied. */
  readonly dataSource: DataSource;

  /**
   * How vectors are searched: by HNSW indexes, or row by row where one backend serves everybody and building an
   * index would hold it for seconds.
   */
  readonly vectorSearch: "hnsw" | "exact";

  /**
   * Runs `work` in one transaction: committed when it resolves, rolled back when it throws. A transaction that lost
   * against others (a deadlock, a serialization failure) runs again: `work` touches nothing but `tx`.
   * @throws {UnavailableError} when the connection breaks; where that happened in COMMIT, the outcome is unknown
   * @throws {TimeoutError} when a statement, or a lock, took longer than is configured
   */
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T>;

  /**
   * Runs reads, which a replica answers where there are some, the request under way allows it, and one has all that
   * its caller wrote; outside of requests, the primary. Reads of one request see no older state after a newer one.
   * @param work may run twice: on the primary when the replica fails
   */
  read<T>(work: (tx: Transaction) => Promise<T>): Promise<T>;

  /** Everything that `work` starts is part of the request. */
  serve<T>(request: ServedRequest, work: () => T): T;

  /** Ends the statements that the request has under way, where the engine can; they fail with {@link TimeoutError}. */
  abandon(request: ServedRequest): void;

  /**
   * To be called before a caller is told that its writes are done: from then on its reads see them, in every process.
   * @throws {UnavailableError} when that cannot be promised
   */
  acknowledge(caller: string): Promise<void>;

  /**
   * Runs statements one by one on a connection of their own, without the time-outs of requests: index builds,
   * VACUUM, changes of tables.
   */
  unhurried<T>(work: (session: Transaction) => Promise<T>): Promise<T>;

  /** As `unhurried`, with the rights of whoever owns the tables. */
  asOwner<T>(work: (session: Transaction) => Promise<T>): Promise<T>;

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
