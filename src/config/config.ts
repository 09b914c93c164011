import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { describeSettings, readSettings } from "./settings.js";
import type { Settings } from "./settings.js";

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
}

export interface AuthConfig {
  jwtSecret?: string;
  issuer: string;
  audience: string;
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

export interface Config {
  environment: Environment;
  http: HttpConfig;
  auth: AuthConfig;
  logLevel: LogLevel;
  dataDir: string;
  /** Absent: the embedded engine in `dataDir`. */
  databaseDsn?: string;
  /** Absent: the queue lives in the database. */
  redisUrl?: string;
  inference: InferenceConfig;
  embedding: EmbeddingConfig;
  artifactMaxBytes: number;
  trainingConcurrency: number;
  /** Inputs and outputs beyond this size are not kept with a prediction. */
  predictionLogValueBytes: number;
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

/**
 * Reads and checks the whole configuration.
 * @throws {ConfigurationError} naming every variable that is wrong, with what is allowed
 */
export function loadConfig(environment: Readonly<Record<string, string | undefined>>): Config {
  const { settings, complaints } = readSettings(environment);
  const all = [...complaints, ...crossChecks(settings)];
  if (all.length > 0) throw new ConfigurationError(all);
  return toConfig(settings as Settings);
}

const LOOPBACK_HOSTS = new Set(["127.0.0.1", "localhost", "::1"]);

/** Rules over several variables; one that is malformed counts as absent here. */
function crossChecks(settings: Partial<Settings>): string[] {
  const complaints: string[] = [];
  const exposed = settings.ML_ENV === "staging" || settings.ML_ENV === "production";
  const secret = settings.ML_JWT_SECRET_KEY;
  if (secret !== undefined && Buffer.byteLength(secret) < 32) {
    complaints.push("ML_JWT_SECRET_KEY: needs at least 32 bytes");
  }
  if (exposed && secret === undefined) {
    complaints.push(`ML_JWT_SECRET_KEY: required when ML_ENV is ${settings.ML_ENV}, at least 32 bytes`);
  }
  if (exposed && !settings.ML_ALLOW_EMBEDDED) {
    const embedded = [
      settings.ML_VECTOR_DB_DSN === undefined && "ML_VECTOR_DB_DSN (database)",
      settings.ML_REDIS_URL === undefined && "ML_REDIS_URL (queue)",
      "the object store (a folder)",
    ].filter((name) => name !== false);
    complaints.push(
      `ML_ALLOW_EMBEDDED: must be true when ML_ENV is ${settings.ML_ENV} and these are embedded: ` +
        `${embedded.join(", ")}; embedded engines do not survive a power loss`,
    );
  }
  return complaints;
}

function toConfig(settings: Settings): Config {
  const loopback = LOOPBACK_HOSTS.has(settings.ML_HOST);
  const exposed = settings.ML_ENV === "staging" || settings.ML_ENV === "production";
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
    },
    auth: {
      jwtSecret: settings.ML_JWT_SECRET_KEY,
      issuer: settings.ML_JWT_ISSUER,
      audience: settings.ML_JWT_AUDIENCE,
      developerAccess: settings.ML_ENV === "development" && loopback,
    },
    logLevel: settings.ML_LOG_LEVEL,
    dataDir: resolve(settings.ML_DATA_DIR),
    databaseDsn: settings.ML_VECTOR_DB_DSN,
    redisUrl: settings.ML_REDIS_URL,
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
    predictionLogValueBytes: settings.ML_PREDICTION_LOG_VALUE_BYTES,
    otlpEndpoint: settings.OTEL_EXPORTER_OTLP_ENDPOINT,
    samples: settings.ML_SAMPLES ?? settings.ML_ENV === "development",
    explorer: settings.ML_EXPLORER ?? !exposed,
  };
}

export { describeSettings };
