import { join } from "node:path";
import { FolderArchive } from "./adapters/embedded/folder-archive.js";
import { FolderObjectStore } from "./adapters/embedded/folder-object-store.js";
import type { OpenS3BucketOptions } from "./adapters/service/open-s3-bucket.js";
import type { LatestConfig } from "./live-config.js";
import type { Archive } from "./ports/archive.js";
import type { ObjectStore } from "./ports/object-store.js";
import type { Logger } from "./telemetry/logger.js";

/** One place for bytes: objects by content, files by name. Closing the store closes both. */
export interface Storage {
  store: ObjectStore;
  archive: Archive;
}

/** Where artifacts and backups live: the bucket of ML_S3_BUCKET, or folders in ML_DATA_DIR. */
export function openStorage(latest: LatestConfig, log: Logger): Promise<Storage> {
  const { s3, dataDir } = latest();
  if (!s3) return openFolders(join(dataDir, "objects"), join(dataDir, "archive"));
  return openBucket(latest, { bucket: s3.bucket, variable: "ML_S3_BUCKET", log }, "local-objects");
}

/** The second place for them: ML_MIRROR_BUCKET of the same S3 store, or ML_MIRROR_DIR. */
export async function openMirror(latest: LatestConfig, log: Logger): Promise<Storage | undefined> {
  const { mirror } = latest();
  if (!mirror) return undefined;
  if ("folder" in mirror) return openFolders(mirror.folder, join(mirror.folder, "archive"));
  return openBucket(latest, { bucket: mirror.bucket, variable: "ML_MIRROR_BUCKET", log }, "mirror-drafts");
}

async function openFolders(objects: string, archive: string): Promise<Storage> {
  return { store: await FolderObjectStore.open(objects), archive: await FolderArchive.open(archive) };
}

/** The client for it is large, and is loaded where there is a bucket. */
async function openBucket(
  latest: LatestConfig,
  bucket: Pick<OpenS3BucketOptions, "bucket" | "variable" | "log">,
  folder: string,
): Promise<Storage> {
  const { openS3Storage } = await import("./s3-storage.js");
  return openS3Storage(latest, bucket, folder);
}
