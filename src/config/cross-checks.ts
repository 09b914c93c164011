import { auditChecks } from "./audit-config.js";
import { providerChecks, secretChecks } from "./credential-checks.js";
import type { Settings } from "./settings.js";

/** Whether it serves others than its developers. */
export function isExposed(environment: Settings["ML_ENV"] | undefined): boolean {
  return environment === "staging" || environment === "production";
}

/** Rules over several variables; one that is malformed counts as absent here. */
export function crossChecks(settings: Partial<Settings>): string[] {
  const complaints: string[] = [];
  const exposed = isExposed(settings.ML_ENV);
  if (exposed && settings.ML_JWT_SECRET_KEY === undefined && settings.ML_JWT_JWKS_URL === undefined) {
    complaints.push(
      `ML_JWT_SECRET_KEY: required when ML_ENV is ${settings.ML_ENV}, at least 32 bytes, unless ML_JWT_JWKS_URL is set`,
    );
  }
  const embedded = [
    settings.ML_VECTOR_DB_DSN === undefined && "ML_VECTOR_DB_DSN (database)",
    settings.ML_REDIS_URL === undefined && "ML_REDIS_URL (queue)",
    settings.ML_S3_BUCKET === undefined && "ML_S3_BUCKET (object store)",
  ].filter((name) => name !== false);
  if (exposed && !settings.ML_ALLOW_EMBEDDED && embedded.length > 0) {
    complaints.push(
      `ML_ALLOW_EMBEDDED: must be true when ML_ENV is ${settings.ML_ENV} and these are embedded: ` +
        `${embedded.join(", ")}; embedded engines do not survive a power loss`,
    );
  }
  if (settings.ML_ENV !== "test" && (settings.ML_FAILPOINTS ?? []).length > 0) {
    complaints.push("ML_FAILPOINTS: only when ML_ENV is test");
  }
  return [
    ...complaints,
    ...secretChecks(settings, exposed),
    ...providerChecks(settings, exposed),
    ...s3Checks(settings),
    ...auditChecks(settings, exposed),
    ...pairChecks(settings),
    ...patienceChecks(settings),
  ];
}

/** Named one by one: what is set and malformed has its own complaint. */
export function apartChecks(environment: Readonly<Record<string, string | undefined>>): string[] {
  const engines = { ML_VECTOR_DB_DSN: "PostgreSQL", ML_REDIS_URL: "Redis", ML_S3_BUCKET: "S3" };
  return Object.entries(engines)
    .filter(([name]) => !environment[name])
    .map(([name, engine]) => `${name}: a gateway or a worker apart needs ${engine}, which all of them share`);
}

function s3Checks(settings: Partial<Settings>): string[] {
  const complaints: string[] = [];
  const s3 = ["ML_S3_ENDPOINT", "ML_S3_BUCKET"] as const;
  for (const [name, other] of [s3, [s3[1], s3[0]] as const]) {
    if (settings[name] === undefined && settings[other] !== undefined) {
      complaints.push(`${name}: required when ${other} is set`);
    }
  }
  if (settings.ML_MIRROR_BUCKET !== undefined && settings.ML_S3_BUCKET === undefined) {
    complaints.push(
      "ML_MIRROR_BUCKET: needs ML_S3_BUCKET; artifacts of a folder are mirrored to ML_MIRROR_DIR",
    );
  }
  if (settings.ML_MIRROR_BUCKET !== undefined && settings.ML_MIRROR_BUCKET === settings.ML_S3_BUCKET) {
    complaints.push("ML_MIRROR_BUCKET: must not be ML_S3_BUCKET; a mirror is a second place");
  }
  if (settings.ML_MIRROR_BUCKET !== undefined && settings.ML_MIRROR_DIR !== undefined) {
    complaints.push("ML_MIRROR_DIR: one mirror at most; unset it or ML_MIRROR_BUCKET");
  }
  for (const rate of settings.ML_QUEUE_RATES ?? []) {
    if (!RATE.test(rate)) {
      complaints.push(`ML_QUEUE_RATES: "${rate}" must be queue=jobs a second, such as embedding=50`);
    }
  }
  return complaints;
}

/** `queue=jobs a second`. */
export const RATE = /^([a-z-]+)=([1-9]\d{0,5})$/;

/** Variables that only make sense together. */
function pairChecks(settings: Partial<Settings>): string[] {
  const pairs = [
    ["ML_TLS_CERT", "ML_TLS_KEY"],
    ["ML_VECTOR_DB_CERT", "ML_VECTOR_DB_KEY"],
    ["ML_REDIS_CERT", "ML_REDIS_KEY"],
    ["ML_S3_CERT", "ML_S3_KEY"],
    ["ML_S3_ACCESS_KEY_ID", "ML_S3_SECRET_ACCESS_KEY"],
  ] as const;
  return [
    ...pairs.flatMap(([a, b]) => [[a, b] as const, [b, a] as const]),
    ["ML_VECTOR_DB_DSN", "ML_MIGRATIONS_DSN"] as const,
    ["ML_VECTOR_DB_DSN", "ML_VECTOR_DB_POOLER"] as const,
    // The embedded database is restored into a folder.
    ["ML_VECTOR_DB_DSN", "ML_RESTORE_TEST_DSN"] as const,
    // Without it the queue makes a schema of its own, and who may make one could put names before the owner's.
    ["ML_REDIS_URL", "ML_MIGRATIONS_DSN"] as const,
  ]
    .filter(([name, other]) => settings[name] === undefined && settings[other] !== undefined)
    .map(([name, other]) => `${name}: required when ${other} is set`);
}

/** Whoever waits for an answer is silent all the while. */
function patienceChecks({
  ML_SILENCE_TIMEOUT_MS: silence,
  ML_OPERATION_TIMEOUT_MS: operation,
}: Partial<Settings>): string[] {
  if (silence === undefined || operation === undefined || silence > operation) return [];
  return [`ML_SILENCE_TIMEOUT_MS: must be longer than ML_OPERATION_TIMEOUT_MS, which is ${operation}`];
}
