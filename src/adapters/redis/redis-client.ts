import { readFileSync } from "node:fs";
import { Cluster, Redis } from "ioredis";
import type { RedisOptions } from "ioredis";
import type { TlsFiles } from "../../config/config.js";
import { PreconditionFailedError } from "../../shared/errors.js";
import { parseRedisUrl } from "../../shared/redis-url.js";
import type { RedisAddress } from "../../shared/redis-url.js";

export type RedisClient = Redis | Cluster;

export interface RedisServerOptions {
  /** `redis://`, `redis-sentinel://`, `redis-cluster://`, or these with TLS. */
  url: string;
  tls?: TlsFiles;
}

/** How a client behaves while its server is away. */
export interface RedisClientOptions extends Pick<
  RedisOptions,
  "maxRetriesPerRequest" | "commandTimeout" | "enableOfflineQueue" | "enableAutoPipelining" | "lazyConnect"
> {
  /** Between two attempts to connect, however often it was tried. */
  mostRetryMs: number;
}

const FIRST_RETRY_MS = 50;
/** A peer that is gone without a word is noticed, though not soon. */
const KEEP_ALIVE_MS = 10_000;

/** A client that connects at once, or with `lazyConnect` when it is told to, and again whenever the connection breaks. */
export function createRedisClient(
  { url, tls }: RedisServerOptions,
  { mostRetryMs, ...options }: RedisClientOptions,
): RedisClient {
  const address = parseRedisUrl(url);
  const retry = (times: number) => Math.min(FIRST_RETRY_MS * times, mostRetryMs);
  const connection: RedisOptions = {
    ...options,
    ...credentialsOf(address),
    ...(address.tls ? { tls: readTlsFiles(tls) } : {}),
    keepAlive: KEEP_ALIVE_MS,
    retryStrategy: retry,
    // A master that has become a replica: the same command again, on a connection to the new one.
    reconnectOnError: (error) => (error.message.startsWith("READONLY") ? 2 : false),
  };
  const { nodes, database: db } = address;
  if (address.kind === "cluster") return createCluster(address, connection, retry);
  if (address.kind === "standalone") return new Redis({ ...connection, ...nodes[0], db });
  return new Redis({
    ...connection,
    db,
    name: address.master,
    sentinels: nodes,
    sentinelUsername: address.sentinelUsername,
    sentinelPassword: address.sentinelPassword,
    sentinelRetryStrategy: retry,
    ...(address.tls ? { sentinelTLS: readTlsFiles(tls), enableTLSForSentinelMode: true } : {}),
  });
}

function createCluster(
  { nodes, tls }: RedisAddress,
  connection: RedisOptions,
  retry: (times: number) => number,
): Cluster {
  const { lazyConnect, enableAutoPipelining, enableOfflineQueue } = connection;
  return new Cluster(nodes, {
    redisOptions: connection,
    lazyConnect,
    enableAutoPipelining,
    enableOfflineQueue,
    clusterRetryStrategy: retry,
    slotsRefreshTimeout: 5_000,
    // Certificates are for names; a lookup would leave addresses.
    ...(tls ? { dnsLookup: (host, done) => done(null, host) } : {}),
  });
}

function credentialsOf({ username, password }: RedisAddress): RedisOptions {
  return { ...(username === undefined ? {} : { username }), ...(password === undefined ? {} : { password }) };
}

/** @throws {PreconditionFailedError} naming the variable whose file cannot be read */
function readTlsFiles(files: TlsFiles = {}): { ca?: Buffer; cert?: Buffer; key?: Buffer } {
  const read = (name: keyof TlsFiles, variable: string) => {
    const path = files[name];
    if (path === undefined) return {};
    try {
      return { [name]: readFileSync(path) };
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new PreconditionFailedError(`${variable}: the file cannot be read (${code})`, { cause: error });
    }
  };
  return { ...read("ca", "ML_REDIS_CA"), ...read("cert", "ML_REDIS_CERT"), ...read("key", "ML_REDIS_KEY") };
}
