import { startPostgres } from "./postgres-server.js";
import { startRedis } from "./redis-server.js";
import { startS3 } from "./s3-server.js";
import { SERVICES_VARIABLE } from "./service-tier.js";
import type { ServiceAddresses } from "./service-tier.js";

const stops: (() => Promise<void>)[] = [];

/** Before the first test of a run on the service tier: starts its servers on free ports, for all its test files. */
export default async function startServices(): Promise<void> {
  const [postgres, redis, cacheRedis, s3] = await Promise.all([
    startPostgres(),
    startRedis(),
    startRedis(),
    startS3(),
  ]);
  stops.push(
    () => postgres.remove(),
    () => redis.stop(),
    () => cacheRedis.stop(),
    () => s3.stop(),
  );
  const addresses: ServiceAddresses = {
    postgres: postgres.dsn(),
    postgresBin: postgres.bin,
    redis: `redis://127.0.0.1:${redis.port}`,
    cacheRedis: `redis://127.0.0.1:${cacheRedis.port}`,
    s3: s3.endpoint,
  };
  process.env[SERVICES_VARIABLE] = JSON.stringify(addresses);
}

/** After the last test. */
export async function stopServices(): Promise<void> {
  await Promise.all(stops.map((stop) => stop()));
}
