import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import type { Readable } from "node:stream";
import type { S3Client } from "@aws-sdk/client-s3";
import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  PutObjectCommand,
  paginateListObjectsV2,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import type { ExpectedObject } from "../../ports/object-store.js";
import { assertAnswers } from "../assert-answers.js";
import { statusOf, unavailable } from "./s3-client.js";

export interface BucketEntry {
  key: string;
  bytes: number;
  modifiedAt: Date;
}

/** The beginning of an answer: its body comes as it is read. */
export interface BucketContent {
  body: Readable;
  /** Last byte that will come, inclusive; -1 for an empty object. */
  end: number;
  etag?: string;
}

interface WriteTarget {
  Bucket: string;
  Key: string;
  IfNoneMatch?: string;
}

/** Beyond this an object goes in parts of this size. */
const PART_BYTES = 16 * 1024 * 1024;
const PARTS_AT_ONCE = 2;

/** One bucket of an S3 store, by keys. Its failures are translated; 404 is an answer. */
export class S3Bucket {
  constructor(
    readonly client: S3Client,
    readonly name: string,
  ) {}

  /** Size in bytes, or undefined when there is no such key. */
  async size(key: string): Promise<number | undefined> {
    try {
      const { ContentLength } = await this.client.send(
        new HeadObjectCommand({ Bucket: this.name, Key: key }),
      );
      return ContentLength;
    } catch (error) {
      if (statusOf(error) === 404) return undefined;
      throw unavailable(error);
    }
  }

  /**
   * @param from first byte
   * @param to last byte, inclusive; the object's last by default
   * @returns undefined when there is no such key, "outside" when it has no byte `from`
   */
  async get(
    key: string,
    { from, to, etag }: { from?: number; to?: number; etag?: string } = {},
  ): Promise<BucketContent | "outside" | undefined> {
    const Range = from === undefined ? undefined : `bytes=${from}-${to ?? ""}`;
    try {
      const answer = await this.client.send(
        new GetObjectCommand({ Bucket: this.name, Key: key, Range, IfMatch: etag }),
      );
      const end = (from ?? 0) + (answer.ContentLength ?? 0) - 1;
      return { body: answer.Body as Readable, end, etag: answer.ETag };
    } catch (error) {
      if ((error as Error).name === "NoSuchKey") return undefined;
      if (statusOf(error) === 416) return "outside";
      throw unavailable(error);
    }
  }

  /**
   * Sends a file whose digest is known, in parts when it is large. Nothing is visible under the key before the last byte.
   * @returns false when the key was there already, unless it is to be replaced
   */
  async putFile(
    key: string,
    path: string,
    { sha256, bytes }: ExpectedObject,
    options: { replace: boolean },
  ): Promise<boolean> {
    if (bytes <= PART_BYTES) return this.putBytes(key, await readFile(path), { ...options, sha256 });
    return this.write(key, options.replace, (target) => this.sendParts(target, path, bytes));
  }

  /** The same for what is in memory. */
  putBytes(key: string, body: Buffer, options: { replace: boolean; sha256?: string }): Promise<boolean> {
    const digest = options.sha256 ?? createHash("sha256").update(body).digest("hex");
    const ChecksumSHA256 = Buffer.from(digest, "hex").toString("base64");
    return this.write(key, options.replace, (target) =>
      this.client.send(new PutObjectCommand({ ...target, Body: body, ChecksumSHA256 })),
    );
  }

  private async write(
    key: string,
    replace: boolean,
    send: (target: WriteTarget) => Promise<unknown>,
  ): Promise<boolean> {
    try {
      await send({ Bucket: this.name, Key: key, ...(replace ? {} : { IfNoneMatch: "*" }) });
      return true;
    } catch (error) {
      const status = statusOf(error);
      // 409: another conditional write of the same key is still under way.
      if (!replace && (status === 412 || status === 409)) return false;
      // A store that knows no conditional writes.
      if (!replace && status === 501) return this.write(key, true, send);
      throw unavailable(error);
    }
  }

  private async sendParts(target: WriteTarget, path: string, bytes: number): Promise<void> {
    const file = createReadStream(path, { highWaterMark: 1024 * 1024 });
    try {
      const upload = new Upload({
        client: this.client,
        partSize: Math.max(PART_BYTES, Math.ceil(bytes / 10_000)),
        queueSize: PARTS_AT_ONCE,
        params: { ...target, Body: file, ContentLength: bytes, ChecksumAlgorithm: "SHA256" },
      });
      await upload.done();
    } finally {
      file.destroy();
    }
  }

  async remove(key: string): Promise<void> {
    await this.client
      .send(new DeleteObjectCommand({ Bucket: this.name, Key: key }))
      .catch((error: unknown) => {
        throw unavailable(error);
      });
  }

  async *list(prefix: string): AsyncGenerator<BucketEntry> {
    const pages = paginateListObjectsV2({ client: this.client }, { Bucket: this.name, Prefix: prefix });
    try {
      for await (const { Contents = [] } of pages) {
        for (const { Key, Size, LastModified } of Contents) {
          yield { key: Key!, bytes: Size!, modifiedAt: LastModified! };
        }
      }
    } catch (error) {
      throw unavailable(error);
    }
  }

  /** Uploads in parts that were begun and never ended, at most a thousand of them. */
  async unfinished(): Promise<{ key: string; id: string; begunAt: Date }[]> {
    const command = new ListMultipartUploadsCommand({ Bucket: this.name });
    const { Uploads = [] } = await this.client.send(command).catch((error: unknown) => {
      throw unavailable(error);
    });
    return Uploads.map(({ Key, UploadId, Initiated }) => ({
      key: Key!,
      id: UploadId!,
      begunAt: Initiated ?? new Date(),
    }));
  }

  /** Drops the parts of an unfinished upload; one that has ended meanwhile is no error. */
  async abort(key: string, id: string): Promise<void> {
    const command = new AbortMultipartUploadCommand({ Bucket: this.name, Key: key, UploadId: id });
    await this.client.send(command).catch((error: unknown) => {
      if (statusOf(error) !== 404) throw unavailable(error);
    });
  }

  /** @throws {UnavailableError} when the store does not answer soon */
  async check(): Promise<void> {
    const ended = new AbortController();
    const answer = this.client.send(new HeadBucketCommand({ Bucket: this.name }), {
      abortSignal: ended.signal,
    });
    try {
      await assertAnswers("the object store", answer);
    } finally {
      ended.abort();
    }
  }

  close(): void {
    this.client.destroy();
  }
}
