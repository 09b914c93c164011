import { isIP } from "node:net";
import { z } from "zod";
import { parseRedisUrl } from "../shared/redis-url.js";
import { isCronPattern } from "./cron-pattern.rules.js";

const MIB = 1024 * 1024;

const PROVIDER_ALGORITHMS = ["RS256", "PS256", "ES256", "ES384", "EdDSA"] as const;
/** What an identity provider may sign tokens with: never by a secret that it shares. */
export type ProviderAlgorithm = (typeof PROVIDER_ALGORITHMS)[number];

function isProviderAlgorithm(name: string): boolean {
  return PROVIDER_ALGORITHMS.some((algorithm) => algorithm === name);
}

/** A variable set to the empty string is as good as absent. */
const blankIsAbsent = (value: unknown): unknown => (value === "" ? undefined : value);

const text = (allowed: string) => z.string({ error: `allowed: ${allowed}` });
const wholeNumber = (least: number, most: number) => {
  const error = `allowed: a whole number from ${least} to ${most}`;
  return z.coerce.number({ error }).int(error).min(least, error).max(most, error);
};
const whole = (least: number, most: number, fallback: number) =>
  z.preprocess(blankIsAbsent, wholeNumber(least, most).default(fallback));
const choice = <const T extends readonly [string, ...string[]]>(values: T, fallback: T[number]) =>
  z.preprocess(
    blankIsAbsent,
    z.enum(values, { error: `allowed: ${values.join(", ")}` }).default(fallback as never),
  );
const flag = z.preprocess(
  blankIsAbsent,
  z
    .enum(["true", "false"], { error: "allowed: true, false" })
    .transform((value) => value === "true")
    .optional(),
);
const list = z.preprocess(
  blankIsAbsent,
  z
    .string()
    .default("")
    .transform((value) =>
      value
        .split(",")
        .map((item) => item.trim())
        .filter((item) => item !== ""),
    ),
);
const url = (protocols: readonly string[]) =>
  z.preprocess(
    blankIsAbsent,
    z
      .string()
      .refine((value) => URL.canParse(value) && protocols.includes(new URL(value).protocol), {
        error: `allowed: a URL that starts with ${protocols.map((p) => `${p}//`).join(" or ")}`,
      })
      .optional(),
  );
const urls = (protocols: readonly string[]) =>
  z.preprocess(
    blankIsAbsent,
    z
      .string()
      .default("")
      .transform((value) =>
        value
          .split(",")
          .map((item) => item.trim())
          .filter((item) => item !== ""),
      )
      .refine(
        (items) => items.every((item) => URL.canParse(item) && protocols.includes(new URL(item).protocol)),
        {
          error: `allowed: URLs that start with ${protocols.map((p) => `${p}//`).join(" or ")}, separated by commas`,
        },
      ),
  );
const redis = z.preprocess(
  blankIsAbsent,
  z
    .string()
    .superRefine((value, context) => {
      try {
        parseRedisUrl(value);
      } catch (error) {
        context.addIssue({ code: "custom", message: (error as Error).message });
      }
    })
    .optional(),
);
const optionalText = z.preprocess(blankIsAbsent, z.string().optional());
const cron = (fallback: string) =>
  z.preprocess(
    blankIsAbsent,
    z
      .string()
      .default(fallback)
      .refine((value) => value === "off" || isCronPattern(value), {
        error: "allowed: a cron pattern of five fields (UTC), or off",
      }),
  );
const word = (fallback: string, allowed: string) =>
  z.preprocess(blankIsAbsent, text(allowed).default(fallback));
/** In order of preference; the last one is always there. */
const providers = <const T extends readonly [string, ...string[]]>(values: T, fallback: T[number]) => {
  const error = `allowed: ${values.join(", ")}, each at most once, separated by commas, and ${fallback} last`;
  return z.preprocess(
    blankIsAbsent,
    z
      .string()
      .default(fallback)
      .transform((value) => value.split(",").map((item) => item.trim()))
      .refine((items) => items.at(-1) === fallback && new Set(items).size === items.length, { error })
      .refine((items) => items.every((item) => values.includes(item)), { error }),
  );
};
const hostAndPort = z.preprocess(
  blankIsAbsent,
  z
    .string()
    .refine(
      (value) => /^([\w.-]+|\[[\da-f:.]+\]):[1-9]\d{0,4}$/i.test(value) && URL.canParse(`tcp://${value}`),
      { error: "allowed: a host and a port, such as pooler:5432" },
    )
    .optional(),
);
const networks = list.refine((items) => items.every(isNetwork), {
  error: "allowed: addresses and networks such as 10.0.0.0/8, separated by commas",
});

function isNetwork(item: string): boolean {
  const [address = "", bits, ...more] = item.split("/");
  const family = isIP(address);
  if (family === 0 || more.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
}
const certificateRoles = z.preprocess(
  (value) => (value === undefined || value === "" ? {} : parsedJson(value)),
  z.record(
    z.string().regex(/^(URI:|DNS:|[A-Za-z]+=)./),
    z.array(z.enum(["VIEWER", "ANALYST", "ENGINEER", "OPERATOR", "ADMIN"])).min(1),
    {
      error: 'allowed: JSON of names and roles, such as {"CN=pricing,O=254carbon": ["ANALYST"]}',
    },
  ),
);

function parsedJson(value: unknown): unknown {
  try {
    return JSON.parse(String(value));
  } catch {
    return undefined;
  }
}
/** Only mentioned by name, never by value, in any message. */
const secret = z.preprocess(blankIsAbsent, z.string().optional());
/** Of kinds of keys that a provider may have; what one kind can do twice is there once at most. */
const algorithms = z.preprocess(
  blankIsAbsent,
  z
    .string()
    .default("RS256,ES256")
    .transform((value) => value.split(",").map((item) => item.trim()))
    .refine((items) => items.every(isProviderAlgorithm) && new Set(items).size === items.length, {
      error: `allowed: ${PROVIDER_ALGORITHMS.join(", ")}, each at most once, separated by commas`,
    })
    .refine((items) => !items.includes("RS256") || !items.includes("PS256"), {
      error: "RS256 or PS256, not both: an RSA key has one algorithm",
    })
    .transform((items) => items as ProviderAlgorithm[]),
);
/** One line a variable: `.env.example` and the README table are checked against this. */
const settingsShape = {
  ML_ENV: choice(["development", "test", "staging", "production"], "development"),
  ML_HOST: word("127.0.0.1", "a host name or address to listen on"),
  ML_PORT: whole(0, 65_535, 4000),
  ML_DATA_DIR: word(".data", "a folder"),
  ML_LOG_LEVEL: choice(["debug", "info", "warn", "error", "silent"], "info"),
  ML_JWT_SECRET_KEY: secret,
  ML_JWT_SECRET_KEY_PREVIOUS: secret,
  ML_JWT_ISSUER: word("254carbon", "the issuer of tokens"),
  ML_JWT_AUDIENCE: word("254carbon-ml", "the audience of tokens"),
  ML_JWT_JWKS_URL: url(["https:", "http:"]),
  ML_JWT_ALGORITHMS: algorithms,
  ML_JWT_ROLES_CLAIM: word("roles", "the path of a claim, with dots between names"),
  ML_API_KEY_SECRET: secret,
  ML_API_KEY_SECRET_PREVIOUS: secret,
  ML_ALLOW_EMBEDDED: flag,
  ML_ALLOWED_HOSTS: list,
  ML_ALLOWED_ORIGINS: list,
  ML_PUBLIC_URL: url(["http:", "https:"]),
  ML_TLS_CERT: optionalText,
  ML_TLS_KEY: optionalText,
  ML_TLS_CLIENT_CA: optionalText,
  ML_TLS_CLIENT_ROLES: certificateRoles,
  ML_TRUSTED_DOCUMENTS: choice(["off", "required"], "off"),
  ML_TRUSTED_DOCUMENTS_FILE: optionalText,
  ML_MAX_BODY_BYTES: whole(1024, 64 * MIB, 4 * MIB),
  ML_MAX_TOKENS: whole(100, 100_000, 1000),
  ML_MAX_DEPTH: whole(3, 100, 10),
  ML_MAX_ALIASES: whole(0, 1000, 15),
  ML_MAX_DIRECTIVES: whole(0, 1000, 10),
  ML_MAX_ROOT_FIELDS: whole(1, 1000, 10),
  ML_MAX_OPERATION_COST: whole(1, 1_000_000, 1000),
  ML_OPERATION_TIMEOUT_MS: whole(100, 3_600_000, 10_000),
  ML_SILENCE_TIMEOUT_MS: whole(1_000, 3_600_000, 60_000),
  ML_MAX_SOCKETS: whole(0, 1_000_000, 5_000),
  ML_MAX_SOCKETS_PER_CALLER: whole(0, 1_000_000, 20),
  ML_MAX_SUBSCRIPTIONS_PER_CALLER: whole(0, 1_000_000, 100),
  ML_RATE_LIMIT_POINTS: z.preprocess(blankIsAbsent, wholeNumber(0, 1_000_000_000).optional()),
  ML_MAX_FAILED_LOGINS: whole(0, 1_000_000, 60),
  ML_TRUSTED_PROXIES: networks,
  ML_VECTOR_DB_DSN: url(["postgres:", "postgresql:"]),
  ML_MIGRATIONS_DSN: url(["postgres:", "postgresql:"]),
  ML_VECTOR_DB_REPLICA_DSNS: urls(["postgres:", "postgresql:"]),
  ML_VECTOR_DB_CA: optionalText,
  ML_VECTOR_DB_CERT: optionalText,
  ML_VECTOR_DB_KEY: optionalText,
  ML_VECTOR_DB_POOL: whole(2, 1000, 20),
  ML_VECTOR_DB_POOLER: hostAndPort,
  ML_VECTOR_DB_REPLICA_MAX_LAG_MS: whole(100, 3_600_000, 5_000),
  ML_STATEMENT_TIMEOUT_MS: whole(100, 3_600_000, 30_000),
  ML_LOCK_TIMEOUT_MS: whole(100, 3_600_000, 10_000),
  ML_REDIS_URL: redis,
  ML_CACHE_REDIS_URL: redis,
  ML_REDIS_CA: optionalText,
  ML_REDIS_CERT: optionalText,
  ML_REDIS_KEY: optionalText,
  ML_REDIS_PREFIX: word("254c", "what the names of all keys begin with"),
  ML_CACHE_BYTES: whole(0, 1024 * 1024 * MIB, 64 * MIB),
  ML_CACHE_TTL_SECONDS: whole(1, 30 * 86_400, 3_600),
  ML_S3_ENDPOINT: url(["http:", "https:"]),
  ML_S3_PUBLIC_ENDPOINT: url(["http:", "https:"]),
  ML_S3_REGION: word("us-east-1", "a region"),
  ML_S3_BUCKET: optionalText,
  ML_S3_ACCESS_KEY_ID: secret,
  ML_S3_SECRET_ACCESS_KEY: secret,
  ML_S3_CA: optionalText,
  ML_S3_CERT: optionalText,
  ML_S3_KEY: optionalText,
  ML_S3_PATH_STYLE: flag,
  ML_S3_LOCAL_BYTES: whole(MIB, 1024 * 1024 * MIB, 10 * 1024 * MIB),
  ML_MIRROR_BUCKET: optionalText,
  ML_MIRROR_DIR: optionalText,
  ML_START_TIMEOUT_MS: whole(0, 3_600_000, 60_000),
  ML_DRAIN_NOTICE_MS: z.preprocess(blankIsAbsent, wholeNumber(0, 600_000).optional()),
  ML_DRAIN_MS: whole(0, 3_600_000, 20_000),
  ML_JOB_LEASE_MS: whole(500, 3_600_000, 20_000),
  ML_QUEUE_RATES: list,
  ML_BACKUP_CRON: cron("0 2 * * *"),
  ML_BACKUP_KEEP_DAYS: whole(1, 36_500, 30),
  ML_BACKUP_RECIPIENTS: list,
  ML_BACKUP_IDENTITY: secret,
  ML_MIRROR_CRON: cron("*/10 * * * *"),
  ML_CLEANUP_CRON: cron("0 4 * * 0"),
  ML_CLEANUP_DAYS: whole(1, 36_500, 30),
  ML_VACUUM_CRON: cron("0 5 * * 0"),
  ML_RESTORE_TEST_CRON: cron("0 6 * * 0"),
  ML_RESTORE_TEST_DSN: url(["postgres:", "postgresql:"]),
  ML_PREDICTION_LOG_DAYS: whole(1, 36_500, 90),
  ML_EVENT_DAYS: whole(1, 36_500, 7),
  ML_AUDIT_QUERIES: flag,
  ML_AUDIT_DAYS: whole(30, 36_500, 400),
  ML_AUDIT_KEY: list,
  ML_AUDIT_HEAD_SECONDS: whole(1, 86_400, 300),
  ML_POSTGRES_BIN: optionalText,
  ML_INFERENCE_WORKERS: z.preprocess(blankIsAbsent, wholeNumber(1, 256).optional()),
  ML_INFERENCE_PROVIDERS: providers(["cuda", "cpu"], "cpu"),
  ML_MODEL_CACHE_BYTES: whole(MIB, 1024 * 1024 * MIB, 1024 * MIB),
  ML_INFERENCE_QUEUE_LIMIT: whole(1, 1_000_000, 1024),
  ML_MAX_BATCH_ROWS: whole(1, 65_536, 256),
  ML_MAX_TENSOR_ELEMENTS: whole(1, 1_000_000_000, 4_000_000),
  ML_MAX_TENSOR_ROWS: whole(1, 1_000_000_000, 100_000),
  ML_EMBEDDING_CONCURRENCY: whole(1, 256, 2),
  ML_EMBED_MAX_TEXTS: whole(1, 100_000, 256),
  ML_EMBED_MAX_CHARACTERS: whole(1, 64 * MIB, 100_000),
  ML_EMBEDDING_CACHE_BYTES: whole(0, 1024 * 1024 * MIB, 64 * MIB),
  ML_VALIDATION_TIMEOUT_MS: whole(100, 3_600_000, 60_000),
  ML_VALIDATION_MEMORY_BYTES: whole(256 * MIB, 1024 * 1024 * MIB, 4096 * MIB),
  ML_ARTIFACT_MAX_BYTES: whole(1024, 1024 * 1024 * MIB, 8192 * MIB),
  ML_TRAINING_CONCURRENCY: whole(1, 256, 1),
  ML_TRAINING_SEGMENT_MS: whole(10, 86_400_000, 10_000),
  ML_REINDEX_PART_DOCUMENTS: whole(1, 1_000_000_000, 2_000),
  ML_PREDICTION_LOG_VALUE_BYTES: whole(0, 64 * MIB, 64 * 1024),
  ML_SAMPLES: flag,
  ML_EXPLORER: flag,
  ML_FAILPOINTS: list,
  OTEL_EXPORTER_OTLP_ENDPOINT: url(["http:", "https:"]),
};

export type Settings = { [Name in keyof typeof settingsShape]: z.output<(typeof settingsShape)[Name]> };

/** The variables that are well formed, and what is wrong with each of the others. */
export function readSettings(environment: Readonly<Record<string, string | undefined>>): {
  settings: Partial<Settings>;
  complaints: string[];
} {
  const settings: Record<string, unknown> = {};
  const complaints: string[] = [];
  for (const [name, rule] of Object.entries(settingsShape)) {
    const read = rule.safeParse(environment[name]);
    if (read.success) settings[name] = read.data;
    else complaints.push(`${name}: ${read.error.issues[0]!.message}`);
  }
  const unknown = Object.keys(environment)
    .filter((name) => name.startsWith("ML_") && !(name in settingsShape) && !CLIENT_VARIABLES.has(name))
    .map((name) => `${name}: is not a variable of this platform`);
  return { settings, complaints: [...complaints, ...unknown] };
}

/** Read by the command line, which may share a shell with the server. */
const CLIENT_VARIABLES = new Set(["ML_URL", "ML_TOKEN", "ML_HUB_URL", "ML_MLFLOW_TRACKING_URI"]);

/** Names of all variables, for the checks of documentation. */
export function describeSettings(): string[] {
  return Object.keys(settingsShape);
}
