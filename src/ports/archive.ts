import type { Readable } from "node:stream";

export interface ArchivedFile {
  name: string;
  bytes: number;
  modifiedAt: Date;
}

/**
 * Files under names of their own, such as backups and the manifests beside them: whoever has lost the database finds
 * them by listing. A name is a path of letters, digits, `.`, `_` and `-`, e.g. `backups/2026-11-29/manifest.json`.
 */
export interface Archive {
  /**
   * Copies a local file in, over what has the name. It is visible once all of it is durable.
   * @returns digest and size of what was copied
   */
  storeFile(name: string, path: string): Promise<{ sha256: string; bytes: number }>;

  /** The same for a short text. */
  storeText(name: string, text: string): Promise<void>;

  /** Every file whose name begins so, in no order. */
  list(prefix: string): AsyncIterable<ArchivedFile>;

  /**
   * All the bytes, or an error at their end; the digest is the reader's to compare.
   * @throws {NotFoundError}
   */
  read(name: string): Promise<Readable>;

  /** Removing what is not there is no error. */
  remove(name: string): Promise<void>;
}
