import { Readable } from "node:stream";
import type { Archive, ArchivedFile } from "../../ports/archive.js";
import { assertArchiveName, missingFile } from "../archive-name.js";
import { digestFile } from "../verified-file.js";
import { resumedContent } from "./resumed-content.js";
import type { S3Bucket } from "./s3-bucket.js";

const PREFIX = "archive/";

/** Files of an S3 bucket under their own names, `archive/<name>`. */
export class S3Archive implements Archive {
  constructor(private readonly bucket: S3Bucket) {}

  async storeFile(name: string, path: string): Promise<{ sha256: string; bytes: number }> {
    const key = keyOf(name);
    const digest = await digestFile(path);
    await this.bucket.putFile(key, path, digest, { replace: true });
    return digest;
  }

  async storeText(name: string, text: string): Promise<void> {
    await this.bucket.putBytes(keyOf(name), Buffer.from(text), { replace: true });
  }

  async *list(prefix: string): AsyncGenerator<ArchivedFile> {
    for await (const { key, ...file } of this.bucket.list(PREFIX + prefix)) {
      yield { name: key.slice(PREFIX.length), ...file };
    }
  }

  async read(name: string): Promise<Readable> {
    const key = keyOf(name);
    const content = await this.bucket.get(key);
    if (content === undefined || content === "outside") throw missingFile(name);
    return Readable.from(resumedContent(this.bucket, key, content), { objectMode: false });
  }

  async remove(name: string): Promise<void> {
    await this.bucket.remove(keyOf(name));
  }
}

function keyOf(name: string): string {
  assertArchiveName(name);
  return PREFIX + name;
}
