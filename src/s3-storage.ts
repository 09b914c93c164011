import { join } from "node:path";
import type { AdapterLog } from "./adapters/adapter-log.js";
import { openS3Bucket } from "./adapters/service/open-s3-bucket.js";
import type { OpenS3BucketOptions } from "./adapters/service/open-s3-bucket.js";
import { S3Archive } from "./adapters/service/s3-archive.js";
import { S3ObjectStore } from "./adapters/service/s3-object-store.js";
import { createS3Client } from "./adapters/service/s3-client.js";
import { S3Links } from "./adapters/service/s3-links.js";
import type { S3Config } from "./config/s3-config.js";
import type { LatestConfig } from "./live-config.js";
import type { Archive } from "./ports/archive.js";
import type { ObjectStore } from "./ports/object-store.js";

/** Longer than any upload takes. */
const ABANDONED_MS = 24 * 3_600_000;

/** @throws {UnavailableError} when the store does not answer in time */
export async function openS3Storage(
  latest: LatestConfig,
  options: Pick<OpenS3BucketOptions, "bucket" | "variable" | "log">,
  folder: string,
): Promise<{ store: ObjectStore; archive: Archive }> {
  const config = latest();
  const s3 = withLatestCredentials(config.s3!, latest);
  const bucket = await openS3Bucket({ ...options, config: s3, timeoutMs: config.startTimeoutMs });
  const isMirror = options.variable === "ML_MIRROR_BUCKET";
  const store = await S3ObjectStore.open({
    bucket,
    folder: join(config.dataDir, folder),
    // Models are never opened from the mirror, nor sent to it by clients.
    localBytes: isMirror ? 0 : s3.localBytes,
    links: isMirror ? undefined : openLinks(s3),
  });
  sweepSoon(store, options.log);
  return { store, archive: new S3Archive(bucket) };
}

function withLatestCredentials(s3: S3Config, latest: LatestConfig): S3Config {
  const { credentials } = s3;
  if (typeof credentials !== "object") return s3;
  return {
    ...s3,
    credentials: () => {
      const now = latest().s3?.credentials;
      return typeof now === "object" ? now : credentials;
    },
  };
}

function openLinks(s3: S3Config): S3Links | undefined {
  if (s3.publicEndpoint === undefined) return undefined;
  return new S3Links(createS3Client(s3, s3.publicEndpoint), s3.bucket);
}

function sweepSoon(store: ObjectStore, log: AdapterLog | undefined): void {
  store.sweep(new Date(Date.now() - ABANDONED_MS)).catch((err: unknown) => {
    log?.warn({ event: "objects.sweep_failed", err }, "abandoned uploads could not be dropped");
  });
}
