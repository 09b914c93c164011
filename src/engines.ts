import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { createBullmqJobQueue } from "./adapters/bullmq/bullmq-job-queue.js";
import type { BullmqJobQueueOptions } from "./adapters/bullmq/bullmq-job-queue.js";
import { ClusterDumper } from "./adapters/embedded/cluster-dumper.js";
import { openEmbeddedDatabase } from "./adapters/embedded/embedded-database.js";
import type { EmbeddedDatabase } from "./adapters/embedded/embedded-database.js";
import { MemoryCache } from "./adapters/embedded/memory-cache.js";
import { MemoryLedger } from "./adapters/embedded/memory-ledger.js";
import type { Schema } from "./adapters/postgres/typeorm-database.js";
import { postgresConnection } from "./adapters/service/postgres-connection.js";
import { openPostgresDatabase } from "./adapters/service/postgres-database.js";
import { ProcessLock } from "./adapters/service/process-lock.js";
import { LayeredCache } from "./adapters/service/layered-cache.js";
import { RedisCache } from "./adapters/service/redis-cache.js";
import { RedisLedger } from "./adapters/service/redis-ledger.js";
import { PostgresDumper } from "./adapters/service/postgres-dumper.js";
import type { Config } from "./config/config.js";
import type { LatestConfig } from "./live-config.js";
import type { Archive } from "./ports/archive.js";
import type { Cache } from "./ports/cache.js";
import type { Database } from "./ports/database.js";
import type { DatabaseDumper } from "./ports/database-dumper.js";
import type { JobQueue } from "./ports/job-queue.js";
import type { ObjectStore } from "./ports/object-store.js";
import type { PointsLedger } from "./ports/points-ledger.js";
import { PreconditionFailedError } from "./shared/errors.js";
import { openMirror, openStorage } from "./storage.js";
import type { Storage } from "./storage.js";
import type { Logger } from "./telemetry/logger.js";

export interface Caches {
  /** Of query results. */
  answers: Cache;
  /** Of embeddings, which have room of their own. */
  vectors: Cache;
  close(): Promise<void>;
}

export interface Engines {
  database: Database;
  queue: JobQueue;
  store: ObjectStore;
  /** Where other processes could come to the same database. */
  lock?: ProcessLock;
  caches: Caches;
  /** What callers have used up of their budgets. */
  ledger: PointsLedger;
  /** Files by name, in the same place as the objects. */
  archive: Archive;
  /** Where artifacts and backups are kept a second time. */
  mirror?: Storage;
  dumper: DatabaseDumper;
}

/**
 * The engines of the tier that is configured, port by port.
 * @param latest what is configured now: secrets may change while the engines run
 */
export async function openEngines(latest: LatestConfig, schema: Schema, logger: Logger): Promise<Engines> {
  await makeDataFolder(latest().dataDir);
  const lock = await lockDatabase(latest, logger);
  const { database, transport } = await openDatabase(latest, schema, logger);
  return {
    lock,
    database,
    queue: await openQueue(latest, transport, logger),
    caches: openCaches(latest),
    ledger: openLedger(latest),
    ...(await openStorage(latest, logger)),
    mirror: await openMirror(latest, logger),
    dumper: createDumper(latest, database),
  };
}

/** Brings the database up to date, and lets go of it. */
export async function migrateDatabase(latest: LatestConfig, schema: Schema, logger: Logger): Promise<void> {
  const lock = await lockDatabase(latest, logger);
  try {
    const { database } = await openDatabase(latest, schema, logger);
    await database.close();
  } finally {
    await lock?.close();
  }
}

/** Before anything is changed in a database that other processes may work on. */
async function lockDatabase(latest: LatestConfig, log: Logger): Promise<ProcessLock | undefined> {
  const config = latest();
  const { dsn, tls } = config.database;
  if (dsn === undefined) return undefined;
  const lacks = [
    ...(config.redis.queueUrl === undefined ? ["ML_REDIS_URL"] : []),
    ...(config.s3 === undefined ? ["ML_S3_BUCKET"] : []),
  ];
  return ProcessLock.take({
    connection: await postgresConnection(() => latest().database.dsn!, tls),
    mode: lacks.length === 0 ? "shared" : "alone",
    ...{ lacks, log, startTimeoutMs: config.startTimeoutMs },
    onLost: (err) => {
      log.error({ event: "process.lock_lost", err }, "another process has taken the database over");
      process.exit(70);
    },
  });
}

type Transport = BullmqJobQueueOptions["transport"];

/** The database, and the queue's transport where it lives in it. */
async function openDatabase(
  latest: LatestConfig,
  schema: Schema,
  logger: Logger,
): Promise<{ database: Database; transport: Transport }> {
  const config = latest();
  if (config.database.dsn === undefined) {
    const database = await openEmbedded(config, schema, logger);
    return { database, transport: { kind: "postgres", connection: database.connection } };
  }
  const { startTimeoutMs } = config;
  const database = await openPostgresDatabase({
    ...{ ...schema, startTimeoutMs, log: logger },
    dsn: () => latest().database.dsn!,
    settings: {
      ...config.database,
      ...(config.database.migrationsDsn === undefined
        ? {}
        : { migrationsDsn: () => latest().database.migrationsDsn! }),
      // A replica that comes or goes asks for another start.
      replicaDsns: config.database.replicaDsns.map((dsn, i) => () => latest().database.replicaDsns[i] ?? dsn),
    },
  });
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

/** In memory, in front of the Redis that all processes share where there is one. */
function openCaches(latest: LatestConfig): Caches {
  const { redis, cache, embedding } = latest();
  const answers = new MemoryCache(cache.bytes);
  const vectors = new MemoryCache(embedding.cacheBytes);
  const { cacheUrl, tls, prefix } = redis;
  if (cacheUrl === undefined) return { answers, vectors, close: async () => undefined };
  const shared = RedisCache.open({ url: () => latest().redis.cacheUrl!, tls, prefix });
  return {
    answers: new LayeredCache(answers, shared),
    vectors: new LayeredCache(vectors, shared),
    close: () => shared.close(),
  };
}

/** Counted for all processes together where they share a Redis for what may be lost. */
function openLedger(latest: LatestConfig): PointsLedger {
  const { cacheUrl, tls, prefix } = latest().redis;
  const alone = new MemoryLedger();
  if (cacheUrl === undefined) return alone;
  return RedisLedger.open({ url: () => latest().redis.cacheUrl!, tls, prefix, alone });
}

function openQueue(latest: LatestConfig, inDatabase: Transport, logger: Logger): Promise<JobQueue> {
  const config = latest();
  const { queueUrl, tls, prefix } = config.redis;
  const { startTimeoutMs } = config;
  const url = () => latest().redis.queueUrl!;
  return createBullmqJobQueue({
    transport:
      queueUrl === undefined ? inDatabase : { kind: "redis", url, tls, prefix, startTimeoutMs, log: logger },
    leaseMs: config.jobLeaseMs,
    onError: (err, context) =>
      logger.warn({ event: "queue.error", err, ...context }, "the job queue reported an error"),
  });
}

function createDumper(latest: LatestConfig, database: Database): DatabaseDumper {
  const config = latest();
  const { dsn, tls } = config.database;
  if (dsn === undefined) return new ClusterDumper(database, join(config.dataDir, "database"));
  return new PostgresDumper(database, { dsn: () => latest().database.dsn!, tls, bin: config.postgresBin });
}

async function makeDataFolder(dataDir: string): Promise<void> {
  await mkdir(dataDir, { recursive: true }).catch((error: Error) => {
    throw new PreconditionFailedError(`ML_DATA_DIR: the folder cannot be made: ${error.message}`);
  });
}
