/** Runs one statement. */
export type RunQuery = <Row extends object>(sql: string) => Promise<Row[]>;

/** `pg_dump`: the custom format of a server's own programs. `pglite`: the data folder of the embedded engine, packed. */
export type DumpKind = "pg_dump" | "pglite";

export interface Dump<Seen> {
  kind: DumpKind;
  /** Version of the server that was dumped, such as `17.6`. */
  serverVersion: string;
  /** Milliseconds for which nobody else could use the database; 0 where a dump disturbs nobody. */
  heldMs: number;
  /** What `look` saw, in the very snapshot that was dumped. */
  seen: Seen;
}

/** Dumps of the database, whichever tier provides it. */
export interface DatabaseDumper {
  /**
   * Writes a consistent dump to a new file, and reads it back as far as proves that it can be restored.
   * @throws {PreconditionFailedError} when the programs for it are missing or older than the server
   */
  dump<Seen>(file: string, look: (query: RunQuery) => Promise<Seen>): Promise<Dump<Seen>>;
}

/** A database that is empty, to be filled from a dump. */
export interface DatabaseRestorer {
  readonly kind: DumpKind;
  /** @throws {PreconditionFailedError} when there is anything that would be overwritten */
  assertEmpty(): Promise<void>;
  /**
   * Fills it, all or nothing: where the dump cannot be read or `finish` throws, the database is as empty as before.
   * @param serverVersion of the server that was dumped
   * @param finish checks what came back, and changes what must be different from now on
   */
  restore(file: string, serverVersion: string, finish: (query: RunQuery) => Promise<void>): Promise<void>;
}
