import { readFileSync } from "node:fs";
import { Cluster, Redis } from "ioredis";
import type { RedisOptions } from "ioredis";
import type { TlsFiles } from "../../config/config.js";
import { PreconditionFailedError } from "../../shared/errors.js";
import { parseRedisUrl } from "../../shared/redis-url.js";
import { textNow } from "../../shared/live-text.js";
import type { LiveText } from "../../shared/live-text.js";
import type { RedisAddress } from "../../shared/redis-url.js";

export type RedisClient = Redis | Cluster;

export interface RedisServerOptions {
  /** `redis://`, `redis-sentinel://`, `redis-cluster://`, or these with TLS. */
  url: LiveText;
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

/**
 * A client that connects at once, or with `lazyConnect` when it is told to, and again whenever the connection breaks,
 * with the name and password that the URL has by then.
 */
export function createRedisClient(
  { url, tls }: RedisServerOptions,
  { mostRetryMs, ...options }: RedisClientOptions,
): RedisClient {
  const address = parseRedisUrl(textNow(url));
  const retry = (times: number) => Math.min(FIRST_RETRY_MS * times, mostRetryMs);
  const connection: RedisOptions = {
    ...options,
    ...(address.tls ? { tls: readTlsFiles(tls) } : {}),
    keepAlive: KEEP_ALIVE_MS,
    retryStrategy: retry,
    // A master that has become a replica: the same command again, on a connection to the new one.
    reconnectOnError: (error) => (error.message.startsWith("READONLY") ? 2 : false),
  };
  const { nodes, database: db } = address;
  if (address.kind === "cluster") {
    askForCredentials(connection, url);
    return createCluster(address, connection, retry);
  }
  // Connected when the options know their credentials.
  const { lazyConnect = false } = options;
  const single: RedisOptions = { ...connection, db, lazyConnect: true };
  const client =
    address.kind === "standalone"
      ? new Redis({ ...single, ...nodes[0] })
      : new Redis({
          ...single,
          name: address.master,
          sentinels: nodes,
          sentinelUsername: address.sentinelUsername,
          sentinelPassword: address.sentinelPassword,
          sentinelRetryStrategy: retry,
          ...(address.tls ? { sentinelTLS: readTlsFiles(tls), enableTLSForSentinelMode: true } : {}),
        });
  return asking(client, url, lazyConnect);
}

/** ioredis takes its credentials from its options at each connection; BullMQ makes further clients like this one. */
function asking(client: Redis, url: LiveText, lazyConnect: boolean): Redis {
  askForCredentials(client.options, url);
  client.options.lazyConnect = lazyConnect;
  client.duplicate = (override = {}) => {
    const { lazyConnect: lazy = lazyConnect } = override;
    return asking(new Redis({ ...client.options, ...override, lazyConnect: true }), url, lazy);
  };
  // What becomes of it, the client's own events tell.
  if (!lazyConnect) client.connect().catch(() => undefined);
  return client;
}

function askForCredentials(options: RedisOptions, url: LiveText): void {
  for (const name of ["username", "password"] as const) {
    const get = () => parseRedisUrl(textNow(url))[name];
    Object.defineProperty(options, name, { get, enumerable: true, configurable: true });
  }
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
