/** Small objects by name, beside those by content: what must be found without the database, such as manifests of backups. */
export interface NamedObjects {
  /**
   * Whole or not at all, and durable; replaces what had the name.
   * @param name lower-case letters, digits and `. _ - /`, such as `backups/2026-11-29.json`
   */
  write(name: string, content: Uint8Array): Promise<void>;

  /** Undefined when there is none of that name. */
  read(name: string): Promise<Buffer | undefined>;

  /** Names that begin so, in order. */
  list(prefix: string): Promise<string[]>;

  /** Removing what is not there is no error. */
  remove(name: string): Promise<void>;
}
