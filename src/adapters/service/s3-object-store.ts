import { createHash } from "node:crypto";
import { rm } from "node:fs/promises";
import { Readable } from "node:stream";
import type {
  ByteRange,
  DirectLink,
  ExpectedObject,
  ObjectStore,
  StoredObject,
} from "../../ports/object-store.js";
import { InvalidInputError, UnavailableError } from "../../shared/errors.js";
import { assertDigest, damagedObject, missingObject, writeVerified } from "../verified-file.js";
import { LocalObjects } from "./local-objects.js";
import { resumedContent } from "./resumed-content.js";
import type { S3Bucket } from "./s3-bucket.js";
import type { S3Links } from "./s3-links.js";

export interface S3ObjectStoreOptions {
  bucket: S3Bucket;
  /** Folder of drafts and local copies. */
  folder: string;
  /** Bound of the local copies. */
  localBytes: number;
  /** Absent where clients do not reach the store. */
  links?: S3Links;
}

const PREFIX = "objects/";
/** What clients send themselves: never read from here but to verify it. */
const UPLOADS = "uploads/";

/** What S3 takes in one request: 5 GiB. */
const LARGEST_REQUEST = 5 * 1024 ** 3;

/**
 * Objects of an S3 bucket, `objects/ab/abcdef...` by content. What comes in is verified in a file of this machine
 * before its first byte is sent, so nothing unverified is ever in the bucket under a digest.
 */
export class S3ObjectStore implements ObjectStore {
  private constructor(
    private readonly bucket: S3Bucket,
    private readonly local: LocalObjects,
    private readonly links: S3Links | undefined,
  ) {}

  static async open({ bucket, folder, localBytes, links }: S3ObjectStoreOptions): Promise<S3ObjectStore> {
    return new S3ObjectStore(bucket, await LocalObjects.open(folder, localBytes), links);
  }

  async put(expected: ExpectedObject, content: AsyncIterable<Uint8Array>): Promise<void> {
    const key = keyOf(expected.sha256);
    const draft = this.local.draft();
    try {
      await writeVerified(draft, expected, content);
      const present = await this.bucket.size(key);
      if (present !== expected.bytes) {
        // An object of another size is damaged: it is replaced.
        await this.bucket.putFile(key, draft, expected, { replace: present !== undefined });
        await this.assertArrived(key, expected.bytes);
      }
      await this.local.offer(draft, expected);
    } finally {
      await rm(draft, { force: true });
    }
  }

  async size(sha256: string): Promise<number | undefined> {
    return this.bucket.size(keyOf(sha256));
  }

  async read(sha256: string, range?: ByteRange): Promise<Readable> {
    const key = keyOf(sha256);
    if (!range) return Readable.from(verified(sha256, await this.whole(sha256)), { objectMode: false });
    if (range.start < 0 || range.end < range.start) throw outside();
    const content = await this.bucket.get(key, { from: range.start, to: range.end });
    if (content === undefined) throw missingObject(sha256);
    if (content === "outside") throw outside();
    return Readable.from(resumedContent(this.bucket, key, content, range.start), { objectMode: false });
  }

  materialize(files: ReadonlyMap<string, string>): Promise<string> {
    return this.local.layOut(files, (sha256, draft) => this.fetch(sha256, draft));
  }

  async *list(): AsyncGenerator<StoredObject> {
    for await (const { key, bytes, modifiedAt } of this.bucket.list(PREFIX)) {
      yield { sha256: key.slice(key.lastIndexOf("/") + 1), bytes, modifiedAt };
    }
  }

  async uploadLink(
    owner: string,
    expected: ExpectedObject,
    seconds: number,
  ): Promise<DirectLink | undefined> {
    if (expected.bytes > LARGEST_REQUEST) return undefined;
    return this.links?.upload(uploadKeyOf(owner, expected.sha256), expected.sha256, seconds);
  }

  async takeUpload(owner: string, expected: ExpectedObject): Promise<boolean> {
    const key = uploadKeyOf(owner, expected.sha256);
    const content = await this.bucket.get(key);
    if (content === undefined || content === "outside") return false;
    try {
      // Passed through this machine, not copied within the store: the bytes that were verified are the bytes that
      // are kept, even when the client sends others meanwhile.
      await this.put(expected, resumedContent(this.bucket, key, content));
    } catch (error) {
      if (error instanceof InvalidInputError) await this.bucket.remove(key);
      throw error;
    }
    await this.bucket.remove(key);
    return true;
  }

  async downloadLink(sha256: string, fileName: string, seconds: number): Promise<DirectLink | undefined> {
    return this.links?.download(keyOf(sha256), fileName, seconds);
  }

  async remove(sha256: string): Promise<void> {
    await this.bucket.remove(keyOf(sha256));
    await this.local.remove(sha256);
  }

  check(): Promise<void> {
    return this.bucket.check();
  }

  async close(): Promise<void> {
    this.bucket.close();
    this.links?.close();
    await this.local.close();
  }

  async sweep(before: Date): Promise<void> {
    for (const { key, id, begunAt } of await this.bucket.unfinished()) {
      if (begunAt < before) await this.bucket.abort(key, id);
    }
    for await (const { key, modifiedAt } of this.bucket.list(UPLOADS)) {
      if (modifiedAt < before) await this.bucket.remove(key);
    }
  }

  /** The bytes as the bucket holds them. @throws {NotFoundError} */
  private async whole(sha256: string): Promise<{ bytes: number; content: AsyncGenerator<Uint8Array> }> {
    const key = keyOf(sha256);
    const content = await this.bucket.get(key);
    if (content === undefined || content === "outside") throw missingObject(sha256);
    return { bytes: content.end + 1, content: resumedContent(this.bucket, key, content) };
  }

  private async fetch(sha256: string, draft: string): Promise<void> {
    const { bytes, content } = await this.whole(sha256);
    await writeVerified(draft, { sha256, bytes }, content).catch((error: unknown) => {
      throw error instanceof InvalidInputError ? damagedObject(sha256, error) : error;
    });
  }

  private async assertArrived(key: string, bytes: number): Promise<void> {
    const size = await this.bucket.size(key);
    if (size === bytes) return;
    throw new UnavailableError(
      `the object store took ${key}, but then has ${size ?? "no"} bytes of ${bytes}`,
    );
  }
}

/** Passes the bytes on, and fails at their end unless they are what their name says. */
async function* verified(
  sha256: string,
  { content }: { content: AsyncGenerator<Uint8Array> },
): AsyncGenerator<Uint8Array> {
  const digest = createHash("sha256");
  for await (const chunk of content) {
    digest.update(chunk);
    yield chunk;
  }
  if (digest.digest("hex") !== sha256) throw damagedObject(sha256);
}

function keyOf(sha256: string): string {
  assertDigest(sha256);
  return `${PREFIX}${sha256.slice(0, 2)}/${sha256}`;
}

function uploadKeyOf(owner: string, sha256: string): string {
  assertDigest(sha256);
  if (!/^[A-Za-z0-9-]{1,64}$/.test(owner)) {
    throw InvalidInputError.at("owner", "must be letters, digits and dashes");
  }
  return `${UPLOADS}${owner}/${sha256}`;
}

function outside(): InvalidInputError {
  return InvalidInputError.at("range", "must lie within the object");
}
