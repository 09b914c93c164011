import { randomUUID } from "node:crypto";

/** Addresses of the servers that a run on the service tier has started for itself. */
export interface ServiceAddresses {
  /** DSN of a superuser. */
  postgres: string;
  /** Folder of the server's programs. */
  postgresBin: string;
  redis: string;
  cacheRedis: string;
  s3: string;
  /** A database that has been migrated, to copy: what that takes, a run takes once. */
  template?: string;
}

/** Variable in which the run tells its tests the addresses, as JSON; absent on the embedded tier. */
export const SERVICES_VARIABLE = "TEST_SERVICES";

const told = process.env[SERVICES_VARIABLE];
const addresses = told === undefined ? undefined : (JSON.parse(told) as ServiceAddresses);

/** Whether the platforms of this run stand on PostgreSQL, Redis and S3. */
export const onServiceTier = addresses !== undefined;

const CREDENTIALS = { accessKeyId: "test", secretAccessKey: "test-secret" };
const ANYBODY =
  "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";
const byFolder = new Map<string, Promise<ServicePlace>>();

export interface ServicePlace {
  /** Variables of a platform. */
  environment: Record<string, string>;
  remove(): Promise<void>;
}

/**
 * What a platform on this data folder is started with: a database, a bucket and a prefix of its own, the same ones
 * whenever it starts on the folder again; nothing on the embedded tier.
 * @param migrated whether a database that is made has the platform's tables already
 */
export async function serviceEnvironment(
  dataDir: string,
  { migrated = false } = {},
): Promise<Record<string, string>> {
  if (!addresses) return {};
  const place =
    byFolder.get(dataDir) ?? makeServicePlace(addresses, migrated ? addresses.template : undefined);
  byFolder.set(dataDir, place);
  return (await place).environment;
}

/** Drops what was made for the folder. */
export async function removeServicePlace(dataDir: string): Promise<void> {
  const place = byFolder.get(dataDir);
  byFolder.delete(dataDir);
  await (await place)?.remove();
}

/** A database, a bucket and a prefix that nobody else uses. */
export async function makeServicePlace(
  { postgres, postgresBin, redis, cacheRedis, s3 }: ServiceAddresses,
  template?: string,
): Promise<ServicePlace> {
  const name = `t${randomUUID().replaceAll("-", "")}`;
  await administer(
    postgres,
    `CREATE DATABASE ${name}${template === undefined ? "" : ` TEMPLATE ${template}`}`,
  );
  await makeBucket(s3, name);
  const dsn = new URL(postgres);
  dsn.pathname = `/${name}`;
  return {
    environment: {
      ML_VECTOR_DB_DSN: dsn.href,
      // A test file starts several platforms side by side on one small server.
      ML_VECTOR_DB_POOL: "10",
      ML_POSTGRES_BIN: postgresBin,
      ML_REDIS_URL: redis,
      ML_CACHE_REDIS_URL: cacheRedis,
      ML_REDIS_PREFIX: name,
      ML_S3_ENDPOINT: s3,
      ML_S3_BUCKET: name,
      ML_S3_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
      ML_S3_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
    },
    remove: () => administer(postgres, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
  };
}

async function administer(dsn: string, statement: string): Promise<void> {
  // Not needed on the embedded tier.
  const { default: pg } = await import("pg");
  const client = new pg.Client({ connectionString: dsn });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

/** By plain requests, since the stand-in takes any credentials, and every test file would load a client for two. */
async function makeBucket(endpoint: string, bucket: string): Promise<void> {
  const place = `${endpoint}/${bucket}`;
  const versioning = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
  for (const [url, body] of [[place, ""] as const, [`${place}?versioning`, versioning] as const]) {
    const answer = await fetch(url, { method: "PUT", headers: { authorization: ANYBODY }, body });
    if (!answer.ok) throw new Error(`PUT ${url}: ${answer.status} ${await answer.text()}`);
  }
}
