import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { RATE, apartChecks, crossChecks, isExposed } from "./cross-checks.js";
import { LOOPBACK_HOSTS } from "./loopback-hosts.rules.js";
import { readSecretFiles } from "./secret-files.js";
import { limitsConfig } from "./limits-config.js";
import type { LimitsConfig } from "./limits-config.js";
import { s3Config } from "./s3-config.js";
import type { S3Config } from "./s3-config.js";
import { auditConfig } from "./audit-config.js";
import type { AuditConfig } from "./audit-config.js";
import { describeSettings, readSettings } from "./settings.js";
import type { ProviderAlgorithm, Settings } from "./settings.js";

export type Environment = "development" | "test" | "staging" | "production";
export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";

export interface HttpConfig {
  host: string;
  /** 0 takes a free port. */
  port: number;
  /** The address binds only this machine's loopback interface. */
  loopback: boolean;
  /** Names accepted in `Host`, beside loopback names; empty accepts all when not on loopback. */
  allowedHosts: string[];
  /** Web origins, beside our own, whose pages may call us. */
  allowedOrigins: string[];
  /** What clients see in front of a proxy, e.g. https://ml.example.com; derived from `Host` when absent. */
  publicUrl?: string;
  maxBodyBytes: number;
  /** Absent: plain HTTP. */
  tls?: { cert: string; key: string; clientCa?: string };
  /** Of callers that a verified certificate names. */
  certificateRoles: Record<string, ("VIEWER" | "ANALYST" | "ENGINEER" | "OPERATOR" | "ADMIN")[]>;
  /** Absent: any document within the limits runs. */
  trustedDocuments?: { file?: string };
}

/** Where the keys of an identity provider are found. */
export interface ProviderConfig {
  url: string;
  /** At most one for each kind of key. */
  algorithms: readonly ProviderAlgorithm[];
  /** Path of the claim that holds roles, names joined by dots. */
  rolesClaim: string;
}

export interface AuthConfig {
  jwtSecret?: string;
  /** Goes on being valid while tokens of before are about. */
  jwtSecretPrevious?: string;
  /** Absent: derived from the token secret. */
  apiKeySecret?: string;
  apiKeySecretPrevious?: string;
  issuer: string;
  audience: string;
  /** Absent: nobody but us issues tokens. */
  provider?: ProviderConfig;
  /** A caller without credentials is an ADMIN named `developer`: development on loopback only. */
  developerAccess: boolean;
}

export interface InferenceConfig {
  workers: number;
  /** Execution providers, the preferred one first. */
  providers: string[];
  cacheBytes: number;
  queueLimit: number;
  maxBatchRows: number;
  /** Most elements that one request may send in all its tensors. */
  maxElements: number;
  /** Most rows (first dimension) that one request may send. */
  maxRows: number;
  validationTimeoutMs: number;
  validationMemoryBytes: number;
}

export interface EmbeddingConfig {
  /** Jobs that one process works on at once. */
  concurrency: number;
  /** Texts of one call of `embed`. */
  maxTexts: number;
  /** UTF-16 units of one of its texts. */
  maxCharacters: number;
  /** Of the vectors that are kept in memory; 0 keeps none. */
  cacheBytes: number;
}

/** Files of a TLS client; the key belongs to the certificate. */
export interface TlsFiles {
  ca?: string;
  cert?: string;
  key?: string;
}

export interface DatabaseConfig {
  /** Absent: the embedded engine in `dataDir`. */
  dsn?: string;
  /** Leads to the same database as the owner of the tables; absent: `dsn` does. */
  migrationsDsn?: string;
  /** Servers that follow the first and may answer reads. */
  replicaDsns: string[];
  tls: TlsFiles;
  poolSize: number;
  /** `host:port` of a PgBouncer before the same database that pools transactions; absent: none. */
  pooler?: string;
  /** A replica that is further behind is not read from. */
  replicaMaxLagMs: number;
  statementTimeoutMs: number;
  lockTimeoutMs: number;
}

export interface RedisConfig {
  /** Absent: the queue lives in the database. */
  queueUrl?: string;
  /** Absent: only this process's memory caches. */
  cacheUrl?: string;
  tls: TlsFiles;
  prefix: string;
}

export interface CacheConfig {
  /** Of query results in this process's memory; 0 keeps none. */
  bytes: number;
  ttlSeconds: number;
}

/** Cron patterns in UTC, or `off`. */
export interface SchedulesConfig {
  backup: string;
  mirror: string;
  cleanup: string;
  vacuum: string;
  restoreTest: string;
}

export interface RetentionConfig {
  backupDays: number;
  cleanupDays: number;
  predictionLogDays: number;
  eventDays: number;
  auditDays: number;
}

export interface Config {
  environment: Environment;
  http: HttpConfig;
  limits: LimitsConfig;
  auth: AuthConfig;
  logLevel: LogLevel;
  dataDir: string;
  database: DatabaseConfig;
  redis: RedisConfig;
  cache: CacheConfig;
  /** Absent: a folder in `dataDir`. */
  s3?: S3Config;
  /** Where artifacts are mirrored to; absent: nowhere. */
  mirror?: { bucket: string } | { folder: string };
  /** How long a start waits for its servers. */
  startTimeoutMs: number;
  /** How long a process that is to end goes on taking requests, until load balancers have noticed. */
  drainNoticeMs: number;
  /** How long requests and jobs under way may take when the process ends. */
  drainMs: number;
  /** How long a worker may be silent before its jobs go to another. */
  jobLeaseMs: number;
  /** Jobs a second at most, by queue. */
  queueRates: Record<string, number>;
  /** Public keys of age that backups are encrypted for. */
  backupRecipients: string[];
  /** Secret keys of age that open them. */
  backupIdentities: string[];
  /** A server that restores are tested on, where the platform's own database is a server's. */
  restoreTestDsn?: string;
  schedules: SchedulesConfig;
  retention: RetentionConfig;
  audit: AuditConfig;
  /** Folder of pg_dump and pg_restore; absent: they are found by PATH. */
  postgresBin?: string;
  inference: InferenceConfig;
  embedding: EmbeddingConfig;
  artifactMaxBytes: number;
  trainingConcurrency: number;
  /** Work of one core, by estimate, that makes a job of its own of a part of a backtest. */
  trainingSegmentMs: number;
  /** Documents that make a job of its own of a part of a reindex. */
  reindexPartDocuments: number;
  /** Inputs and outputs beyond this size are not kept with a prediction. */
  predictionLogValueBytes: number;
  /** Places where this process shall end itself; tests only. */
  failpoints: string[];
  /** Absent: no spans leave the process. */
  otlpEndpoint?: string;
  samples: boolean;
  /** Apollo Sandbox, GraphiQL and introspection. */
  explorer: boolean;
}

/** Every mistake in the environment at once; values of secrets are never part of it. */
export class ConfigurationError extends Error {
  override readonly name = "ConfigurationError";
  constructor(readonly complaints: readonly string[]) {
    super(
      `The configuration has ${complaints.length} mistake(s):\n${complaints.map((c) => `  ${c}`).join("\n")}`,
    );
  }
}

export interface ConfigOptions {
  /** The process shares the platform with others: it needs engines that are servers. */
  apart?: boolean;
}

/**
 * Reads and checks the whole configuration.
 * @throws {ConfigurationError} naming every variable that is wrong, with what is allowed
 */
export function loadConfig(
  environment: Readonly<Record<string, string | undefined>>,
  { apart = false }: ConfigOptions = {},
): Config {
  const read = readSecretFiles(environment);
  const { settings, complaints } = readSettings(read.environment);
  const all = [
    ...read.complaints,
    ...complaints,
    ...crossChecks(settings),
    ...(apart ? apartChecks(read.environment) : []),
  ];
  if (all.length > 0) throw new ConfigurationError(all);
  return toConfig(settings as Settings);
}

/** Two probes of a load balancer, and what it takes to heed them. */
const EXPOSED_NOTICE_MS = 5_000;

function toConfig(settings: Settings): Config {
  const loopback = LOOPBACK_HOSTS.has(settings.ML_HOST);
  const exposed = isExposed(settings.ML_ENV);
  return {
    environment: settings.ML_ENV,
    http: {
      host: settings.ML_HOST,
      port: settings.ML_PORT,
      loopback,
      allowedHosts: settings.ML_ALLOWED_HOSTS,
      allowedOrigins: settings.ML_ALLOWED_ORIGINS,
      publicUrl: settings.ML_PUBLIC_URL,
      maxBodyBytes: settings.ML_MAX_BODY_BYTES,
      ...doorConfig(settings),
    },
    limits: limitsConfig(settings, exposed),
    auth: { ...authConfig(settings), developerAccess: settings.ML_ENV === "development" && loopback },
    logLevel: settings.ML_LOG_LEVEL,
    dataDir: resolve(settings.ML_DATA_DIR),
    ...engineConfig(settings),
    ...upkeepConfig(settings),
    inference: {
      workers: settings.ML_INFERENCE_WORKERS ?? availableParallelism(),
      providers: settings.ML_INFERENCE_PROVIDERS,
      cacheBytes: settings.ML_MODEL_CACHE_BYTES,
      queueLimit: settings.ML_INFERENCE_QUEUE_LIMIT,
      maxBatchRows: settings.ML_MAX_BATCH_ROWS,
      maxElements: settings.ML_MAX_TENSOR_ELEMENTS,
      maxRows: settings.ML_MAX_TENSOR_ROWS,
      validationTimeoutMs: settings.ML_VALIDATION_TIMEOUT_MS,
      validationMemoryBytes: settings.ML_VALIDATION_MEMORY_BYTES,
    },
    embedding: {
      concurrency: settings.ML_EMBEDDING_CONCURRENCY,
      maxTexts: settings.ML_EMBED_MAX_TEXTS,
      maxCharacters: settings.ML_EMBED_MAX_CHARACTERS,
      cacheBytes: settings.ML_EMBEDDING_CACHE_BYTES,
    },
    artifactMaxBytes: settings.ML_ARTIFACT_MAX_BYTES,
    trainingConcurrency: settings.ML_TRAINING_CONCURRENCY,
    trainingSegmentMs: settings.ML_TRAINING_SEGMENT_MS,
    reindexPartDocuments: settings.ML_REINDEX_PART_DOCUMENTS,
    predictionLogValueBytes: settings.ML_PREDICTION_LOG_VALUE_BYTES,
    failpoints: settings.ML_FAILPOINTS,
    otlpEndpoint: settings.OTEL_EXPORTER_OTLP_ENDPOINT,
    samples: settings.ML_SAMPLES ?? settings.ML_ENV === "development",
    explorer: settings.ML_EXPLORER ?? !exposed,
  };
}

function authConfig(settings: Settings): Omit<AuthConfig, "developerAccess"> {
  const { ML_JWT_JWKS_URL: url, ML_JWT_ALGORITHMS: algorithms, ML_JWT_ROLES_CLAIM: rolesClaim } = settings;
  return {
    jwtSecret: settings.ML_JWT_SECRET_KEY,
    jwtSecretPrevious: settings.ML_JWT_SECRET_KEY_PREVIOUS,
    apiKeySecret: settings.ML_API_KEY_SECRET,
    apiKeySecretPrevious: settings.ML_API_KEY_SECRET_PREVIOUS,
    issuer: settings.ML_JWT_ISSUER,
    audience: settings.ML_JWT_AUDIENCE,
    provider: url === undefined ? undefined : { url, algorithms, rolesClaim },
  };
}

function doorConfig(settings: Settings) {
  const { ML_TLS_CERT: cert, ML_TLS_KEY: key, ML_TLS_CLIENT_CA: clientCa } = settings;
  return {
    tls: cert !== undefined && key !== undefined ? { cert, key, clientCa } : undefined,
    certificateRoles: settings.ML_TLS_CLIENT_ROLES,
    trustedDocuments:
      settings.ML_TRUSTED_DOCUMENTS === "required" ? { file: settings.ML_TRUSTED_DOCUMENTS_FILE } : undefined,
  };
}

function engineConfig(settings: Settings) {
  return {
    database: {
      dsn: settings.ML_VECTOR_DB_DSN,
      migrationsDsn: settings.ML_MIGRATIONS_DSN,
      replicaDsns: settings.ML_VECTOR_DB_REPLICA_DSNS,
      tls: {
        ca: settings.ML_VECTOR_DB_CA,
        cert: settings.ML_VECTOR_DB_CERT,
        key: settings.ML_VECTOR_DB_KEY,
      },
      poolSize: settings.ML_VECTOR_DB_POOL,
      pooler: settings.ML_VECTOR_DB_POOLER,
      replicaMaxLagMs: settings.ML_VECTOR_DB_REPLICA_MAX_LAG_MS,
      statementTimeoutMs: settings.ML_STATEMENT_TIMEOUT_MS,
      lockTimeoutMs: settings.ML_LOCK_TIMEOUT_MS,
    },
    redis: {
      queueUrl: settings.ML_REDIS_URL,
      cacheUrl: settings.ML_CACHE_REDIS_URL,
      tls: { ca: settings.ML_REDIS_CA, cert: settings.ML_REDIS_CERT, key: settings.ML_REDIS_KEY },
      prefix: settings.ML_REDIS_PREFIX,
    },
    cache: { bytes: settings.ML_CACHE_BYTES, ttlSeconds: settings.ML_CACHE_TTL_SECONDS },
    s3: s3Config(settings),
    startTimeoutMs: settings.ML_START_TIMEOUT_MS,
    drainNoticeMs: settings.ML_DRAIN_NOTICE_MS ?? (isExposed(settings.ML_ENV) ? EXPOSED_NOTICE_MS : 0),
    drainMs: settings.ML_DRAIN_MS,
    jobLeaseMs: settings.ML_JOB_LEASE_MS,
  };
}

/** As `age-keygen` writes them, with comments of its own, or by commas. */
function identitiesIn(text: string): string[] {
  return text
    .replaceAll(/^#.*$/gm, "")
    .split(/[\s,]+/)
    .filter(Boolean);
}

function upkeepConfig(settings: Settings) {
  const { ML_MIRROR_BUCKET: bucket, ML_MIRROR_DIR: folder } = settings;
  const rates = settings.ML_QUEUE_RATES.map((rate) => RATE.exec(rate)!);
  return {
    mirror:
      bucket !== undefined ? { bucket } : folder !== undefined ? { folder: resolve(folder) } : undefined,
    backupRecipients: settings.ML_BACKUP_RECIPIENTS,
    backupIdentities: identitiesIn(settings.ML_BACKUP_IDENTITY ?? ""),
    restoreTestDsn: settings.ML_RESTORE_TEST_DSN,
    queueRates: Object.fromEntries(rates.map(([, queue, rate]) => [queue!, Number(rate)])),
    schedules: {
      backup: settings.ML_BACKUP_CRON,
      mirror: settings.ML_MIRROR_CRON,
      cleanup: settings.ML_CLEANUP_CRON,
      vacuum: settings.ML_VACUUM_CRON,
      restoreTest: settings.ML_RESTORE_TEST_CRON,
    },
    retention: {
      backupDays: settings.ML_BACKUP_KEEP_DAYS,
      cleanupDays: settings.ML_CLEANUP_DAYS,
      predictionLogDays: settings.ML_PREDICTION_LOG_DAYS,
      eventDays: settings.ML_EVENT_DAYS,
      auditDays: settings.ML_AUDIT_DAYS,
    },
    audit: auditConfig(settings),
    postgresBin: settings.ML_POSTGRES_BIN,
  };
}

export { describeSettings };
