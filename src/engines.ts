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

/** The engines of the tier that is configured, port by port. */
export async function openEngines(config: Config, schema: Schema, logger: Logger): Promise<Engines> {
  await makeDataFolder(config.dataDir);
  const lock = await lockDatabase(config, logger);
  const { database, transport } = await openDatabase(config, schema, logger);
  return {
    lock,
    database,
    queue: await openQueue(config, transport, logger),
    caches: openCaches(config),
    ledger: openLedger(config),
    ...(await openStorage(config, logger)),
    mirror: await openMirror(config, logger),
    dumper: createDumper(config, database),
  };
}

/** Before anything is changed in a database that other processes may work on. */
async function lockDatabase(config: Config, log: Logger): Promise<ProcessLock | undefined> {
  const { dsn, tls } = config.database;
  if (dsn === undefined) return undefined;
  const lacks = [
    ...(config.redis.queueUrl === undefined ? ["ML_REDIS_URL"] : []),
    ...(config.s3 === undefined ? ["ML_S3_BUCKET"] : []),
  ];
  return ProcessLock.take({
    connection: await postgresConnection(dsn, tls),
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

/** In memory, in front of the Redis that all processes share where there is one. */
function openCaches({ redis, cache, embedding }: Config): Caches {
  const answers = new MemoryCache(cache.bytes);
  const vectors = new MemoryCache(embedding.cacheBytes);
  const { cacheUrl: url, tls, prefix } = redis;
  if (url === undefined) return { answers, vectors, close: async () => undefined };
  const shared = RedisCache.open({ url, tls, prefix });
  return {
    answers: new LayeredCache(answers, shared),
    vectors: new LayeredCache(vectors, shared),
    close: () => shared.close(),
  };
}

/** Counted for all processes together where they share a Redis for what may be lost. */
function openLedger({ redis: { cacheUrl: url, tls, prefix } }: Config): PointsLedger {
  const alone = new MemoryLedger();
  return url === undefined ? alone : RedisLedger.open({ url, tls, prefix, alone });
}

function openQueue(config: Config, inDatabase: Transport, logger: Logger): Promise<JobQueue> {
  const { queueUrl: url, tls, prefix } = config.redis;
  const { startTimeoutMs } = config;
  return createBullmqJobQueue({
    transport:
      url === undefined ? inDatabase : { kind: "redis", url, tls, prefix, startTimeoutMs, log: logger },
    leaseMs: config.jobLeaseMs,
    onError: (err, { queue }) =>
      logger.warn({ event: "queue.error", err, queue }, "the job queue reported an error"),
  });
}

function createDumper(config: Config, database: Database): DatabaseDumper {
  const { dsn, tls } = config.database;
  if (dsn === undefined) return new ClusterDumper(database, join(config.dataDir, "database"));
  return new PostgresDumper(database, { dsn, tls, bin: config.postgresBin });
}

async function makeDataFolder(dataDir: string): Promise<void> {
  await mkdir(dataDir, { recursive: true }).catch((error: Error) => {
    throw new PreconditionFailedError(`ML_DATA_DIR: the folder cannot be made: ${error.message}`);
  });
}
