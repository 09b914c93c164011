import type { Readable } from "node:stream";

/** What the sender says it will send. */
export interface ExpectedObject {
  /** Lower-case hex SHA-256 of the content; also its key. */
  sha256: string;
  bytes: number;
}

export interface ByteRange {
  /** First byte, from 0. */
  start: number;
  /** Last byte, inclusive. */
  end: number;
}

export interface StoredObject extends ExpectedObject {
  modifiedAt: Date;
}

/** A request that carries its own permission until it expires. */
export interface DirectLink {
  url: string;
  /** To be sent with it, as they are. */
  headers: Record<string, string>;
  expiresAt: Date;
}

/** Immutable objects under the SHA-256 of their content. */
export interface ObjectStore {
  /**
   * Streams an object in. Nothing is visible under its key until every byte has been verified and is durable; where
   * the object is there already, the sender's bytes are verified all the same.
   * @throws {InvalidInputError} when size or digest differ from what was announced; nothing is kept
   */
  put(expected: ExpectedObject, content: AsyncIterable<Uint8Array>): Promise<void>;

  /** Size in bytes, or undefined when there is no such object. */
  size(sha256: string): Promise<number | undefined>;

  /** @throws {NotFoundError} */
  read(sha256: string, range?: ByteRange): Promise<Readable>;

  /**
   * A folder that holds the named objects as local files, for programs that open files by path.
   * The same set of files gives the same folder; its content is verified and must not be changed.
   * @param files file name (no path) -> sha256
   * @throws {NotFoundError} when one is missing
   */
  materialize(files: ReadonlyMap<string, string>): Promise<string>;

  /** Every object, in no order; one that comes or goes meanwhile may be missed. */
  list(): AsyncIterable<StoredObject>;

  /**
   * Where a client may send the object without passing through this process; undefined where there is no such
   * place. What arrives there is seen by nobody before `takeUpload` has verified it.
   * @param owner whom the upload is for, letters, digits and dashes; uploads of several owners never meet
   */
  uploadLink(owner: string, expected: ExpectedObject, seconds: number): Promise<DirectLink | undefined>;

  /**
   * Verifies what has been sent by an upload link, and stores it.
   * @returns false when nothing has arrived
   * @throws {InvalidInputError} when size or digest differ from what was announced; what arrived is dropped
   */
  takeUpload(owner: string, expected: ExpectedObject): Promise<boolean>;

  /** Where a client may fetch the object without passing through this process. */
  downloadLink(sha256: string, fileName: string, seconds: number): Promise<DirectLink | undefined>;

  /** Removes the object; removing what is not there is no error. */
  remove(sha256: string): Promise<void>;

  /** Drops what is left of uploads that began before then and never ended. */
  sweep(before: Date): Promise<void>;

  /** @throws {UnavailableError} when the store does not answer */
  check(): Promise<void>;

  close(): Promise<void>;
}
