import { randomUUID } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { CreateBucketCommand, PutBucketVersioningCommand } from "@aws-sdk/client-s3";
import { openS3Bucket } from "../../src/adapters/service/open-s3-bucket.js";
import type { S3Bucket } from "../../src/adapters/service/s3-bucket.js";
import { createS3Client } from "../../src/adapters/service/s3-client.js";
import { S3Links } from "../../src/adapters/service/s3-links.js";
import { S3ObjectStore } from "../../src/adapters/service/s3-object-store.js";
import type { S3Config } from "../../src/config/s3-config.js";
import { temporaryFolder } from "./temporary-folder.js";
import type { TemporaryFolder } from "./temporary-folder.js";

/** A store of objects in S3 with what tests look at beside it. */
export interface S3StoreUnderTest {
  store: S3ObjectStore;
  bucket: S3Bucket;
  /** Its files on local disk. */
  folder: TemporaryFolder;
  /** Unfinished uploads, here and in the bucket. */
  leftovers(): Promise<string[]>;
  drop(): Promise<void>;
}

export interface S3StoreOptions {
  bucket?: string;
  folder?: TemporaryFolder;
  localBytes?: number;
}

export function s3ConfigOf(endpoint: string, bucket: string): S3Config {
  return {
    endpoint,
    publicEndpoint: endpoint,
    region: "us-east-1",
    bucket,
    credentials: { accessKeyId: "test", secretAccessKey: "test-secret" },
    pathStyle: true,
    localBytes: 100_000_000,
  };
}

/** Makes a bucket with versioning on. @returns its name */
export async function makeBucket(endpoint: string): Promise<string> {
  const Bucket = `artifacts-${randomUUID()}`;
  const client = createS3Client(s3ConfigOf(endpoint, Bucket), endpoint);
  await client.send(new CreateBucketCommand({ Bucket }));
  const VersioningConfiguration = { Status: "Enabled" as const };
  await client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }));
  client.destroy();
  return Bucket;
}

/** Opens a store, on a bucket and a folder of its own unless told, that loses patience soon. */
export async function openS3Store(endpoint: string, options: S3StoreOptions = {}): Promise<S3StoreUnderTest> {
  const folder = options.folder ?? (await temporaryFolder());
  const name = options.bucket ?? (await makeBucket(endpoint));
  const config = s3ConfigOf(endpoint, name);
  const bucket = await openS3Bucket({
    ...{ config, bucket: name, variable: "ML_S3_BUCKET", timeoutMs: 1_000 },
    patience: { connectMs: 1_000, silenceMs: 2_000, answerMs: 20_000 },
  });
  const store = await S3ObjectStore.open({
    bucket,
    folder: folder.path,
    localBytes: options.localBytes ?? config.localBytes,
    links: new S3Links(createS3Client(config, endpoint), name),
  });
  return {
    store,
    bucket,
    folder,
    leftovers: async () => [
      ...(await readdir(join(folder.path, "drafts", String(process.pid)))),
      ...(await bucket.unfinished()).map(({ key }) => key),
    ],
    drop: async () => {
      await store.close();
      await folder.remove();
    },
  };
}
