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
import type { AdapterLog } from "../adapter-log.js";
import { assertDigest, damagedObject, missingObject, writeVerified } from "../verified-file.js";
import { LocalObjects } from "./local-objects.js";
import { resumedContent } from "./resumed-content.js";
import type { S3Bucket } from "./s3-bucket.js";

export interface S3ObjectStoreOptions {
  bucket: S3Bucket;
  /** Folder of drafts and local copies. */
  folder: string;
  /** Bound of the local copies. */
  localBytes: number;
  log?: AdapterLog;
}

const PREFIX = "objects/";
/** Longer than any upload takes. */
const ABANDONED_MS = 24 * 3_600_000;

/**
 * Objects of an S3 bucket, `objects/ab/abcdef...` by content. What comes in is verified in a file of this machine
 * before its first byte is sent, so nothing unverified is ever in the bucket under a digest.
 */
export class S3ObjectStore implements ObjectStore {
  private constructor(
    private readonly bucket: S3Bucket,
    private readonly local: LocalObjects,
  ) {}

  static async open({ bucket, folder, localBytes }: S3ObjectStoreOptions): Promise<S3ObjectStore> {
    return new S3ObjectStore(bucket, await LocalObjects.open(folder, localBytes));
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

  uploadLink(): Promise<DirectLink | undefined> {
    return Promise.resolve(undefined);
  }

  downloadLink(): Promise<DirectLink | undefined> {
    return Promise.resolve(undefined);
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
    await this.local.close();
  }

  /** Drops what processes have left in the bucket that ended while they sent it. */
  async sweep(before = new Date(Date.now() - ABANDONED_MS)): Promise<void> {
    for (const { key, id, begunAt } of await this.bucket.unfinished(PREFIX)) {
      if (begunAt < before) await this.bucket.abort(key, id);
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

function outside(): InvalidInputError {
  return InvalidInputError.at("range", "must lie within the object");
}
