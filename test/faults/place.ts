import { randomBytes } from "node:crypto";
import { CreateBucketCommand, PutBucketVersioningCommand, S3Client } from "@aws-sdk/client-s3";
import type { ClusterServers } from "../support/cluster.js";
import type { Tier } from "./tier.js";

/** What is a fault's own on the servers that all faults share. */
export interface Place extends ClusterServers {
  /** Unlike any other. */
  name: string;
  cacheRedisUrl: string;
  remove(): Promise<void>;
}

/** Makes an empty database and a bucket, and empties both Redis: faults run one after the other. */
export async function makePlace({ postgres, queue, cache, s3 }: Tier): Promise<Place> {
  const name = `fault-${randomBytes(4).toString("hex")}`;
  await Promise.all([queue.ask("FLUSHALL"), cache.ask("FLUSHALL")]);
  const dsn = await postgres.createDatabase(name);
  await makeBucket(s3.endpoint, name);
  return {
    ...{ name, dsn },
    redisUrl: queue.url,
    cacheRedisUrl: cache.url,
    s3: { endpoint: s3.endpoint, bucket: name },
    // A fault may have taken the server for good.
    remove: () => postgres.dropDatabase(name).catch(() => undefined),
  };
}

/** Makes a bucket with versioning on. */
export async function makeBucket(endpoint: string, name: string): Promise<void> {
  const client = s3Client(endpoint);
  await client.send(new CreateBucketCommand({ Bucket: name }));
  const versioned = { Bucket: name, VersioningConfiguration: { Status: "Enabled" as const } };
  await client.send(new PutBucketVersioningCommand(versioned));
  client.destroy();
}

/** For what is done to the store behind the platform's back. */
export function s3Client(endpoint: string): S3Client {
  return new S3Client({
    ...{ endpoint, region: "us-east-1", forcePathStyle: true },
    credentials: { accessKeyId: "tester", secretAccessKey: "not a secret" },
    requestChecksumCalculation: "WHEN_REQUIRED",
  });
}
