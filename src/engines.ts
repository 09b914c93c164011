import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { createBullmqJobQueue } from "./adapters/bullmq/bullmq-job-queue.js";
import type { BullmqJobQueueOptions } from "./adapters/bullmq/bullmq-job-queue.js";
import { openEmbeddedDatabase } from "./adapters/embedded/embedded-database.js";
import type { EmbeddedDatabase } from "./adapters/embedded/embedded-database.js";
import { FolderObjectStore } from "./adapters/embedded/folder-object-store.js";
import type { Schema } from "./adapters/postgres/typeorm-database.js";
import { openPostgresDatabase } from "./adapters/service/postgres-database.js";
import { openS3Bucket } from "./adapters/service/open-s3-bucket.js";
import { S3ObjectStore } from "./adapters/service/s3-object-store.js";
import type { Config } from "./config/config.js";
import type { Database } from "./ports/database.js";
import type { JobQueue } from "./ports/job-queue.js";
import type { ObjectStore } from "./ports/object-store.js";
import { PreconditionFailedError } from "./shared/errors.js";
import type { Logger } from "./telemetry/logger.js";

export interface Engines {
  database: Database;
  queue: JobQueue;
  store: ObjectStore;
}

/** The engines of the tier that is configured, port by port. */
export async function openEngines(config: Config, schema: Schema, logger: Logger): Promise<Engines> {
  await makeDataFolder(config.dataDir);
  const { database, transport } = await openDatabase(config, schema, logger);
  return {
    database,
    queue: await openQueue(config, transport, logger),
    store: await openStore(config, logger),
  };
}

type Transport = BullmqJobQueueOptions["transport"];

/** The database, and the queue's transport where it lives in it. */
async function openDatabase(
  config: Config,
  schema: Schema,
  logger: Logger,
): Promise<{ database: Database; transport: Transport }> {
  const { dsn } = config.database;
  if (dsn === undefined) {
    const database = await openEmbedded(config, schema, logger);
    return { database, transport: { kind: "postgres", connection: database.connection } };
  }
  const { database: settings, startTimeoutMs } = config;
  const database = await openPostgresDatabase({ dsn, settings, startTimeoutMs, ...schema, log: logger });
  return { database, transport: { kind: "postgres", connection: database.connection } };
}

function openEmbedded(config: Config, schema: Schema, logger: Logger): Promise<EmbeddedDatabase> {
  return openEmbeddedDatabase({
    dataDir: join(config.dataDir, "database"),
    ...schema,
    log: logger,
    onCrash: (err) => {
      logger.error(
        { event: "database.crashed", err },
        "the embedded database ended; the process must start anew",
      );
      process.exit(70);
    },
  });
}

function openQueue(config: Config, inDatabase: Transport, logger: Logger): Promise<JobQueue> {
  const { queueUrl } = config.redis;
  return createBullmqJobQueue({
    transport: queueUrl === undefined ? inDatabase : { kind: "redis", url: queueUrl },
    leaseMs: config.jobLeaseMs,
    onError: (err, { queue }) =>
      logger.warn({ event: "queue.error", err, queue }, "the job queue reported an error"),
  });
}

async function openStore(config: Config, log: Logger): Promise<ObjectStore> {
  const { s3, dataDir, startTimeoutMs: timeoutMs } = config;
  if (!s3) return FolderObjectStore.open(join(dataDir, "objects"));
  const bucket = await openS3Bucket({
    config: s3,
    bucket: s3.bucket,
    variable: "ML_S3_BUCKET",
    timeoutMs,
    log,
  });
  return S3ObjectStore.open({ bucket, folder: join(dataDir, "local-objects"), localBytes: s3.localBytes });
}

async function makeDataFolder(dataDir: string): Promise<void> {
  await mkdir(dataDir, { recursive: true }).catch((error: Error) => {
    throw new PreconditionFailedError(`ML_DATA_DIR: the folder cannot be made: ${error.message}`);
  });
}
