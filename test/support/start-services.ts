import { migrate } from "./migrate.js";
import { startPostgres } from "./postgres-server.js";
import { startRedis } from "./redis-server.js";
import { startS3 } from "./s3-server.js";
import { SERVICES_VARIABLE, makeServicePlace } from "./service-tier.js";
import type { ServiceAddresses } from "./service-tier.js";

let running: { stop(): Promise<void> } | undefined;

/** Before the first test of a run on the service tier: starts its servers for all its test files. */
export default async function startRun(): Promise<void> {
  const services = await startServices();
  running = services;
  const template = await makeTemplate(services.addresses);
  process.env[SERVICES_VARIABLE] = JSON.stringify({ ...services.addresses, template });
}

/** @returns the name of a database that has been migrated, and that nobody is connected to */
async function makeTemplate(addresses: ServiceAddresses): Promise<string> {
  const { environment } = await makeServicePlace(addresses);
  await migrate(environment);
  return new URL(environment.ML_VECTOR_DB_DSN!).pathname.slice(1);
}

/** After the last test. */
export async function stopRun(): Promise<void> {
  await running?.stop();
}

/** The servers of the service tier on free ports; they end with this process. */
export async function startServices(): Promise<{ addresses: ServiceAddresses; stop(): Promise<void> }> {
  const [postgres, redis, cacheRedis, s3] = await Promise.all([
    startPostgres(),
    startRedis(),
    startRedis(),
    startS3(),
  ]);
  return {
    addresses: {
      postgres: postgres.dsn(),
      postgresBin: postgres.bin,
      redis: `redis://127.0.0.1:${redis.port}`,
      cacheRedis: `redis://127.0.0.1:${cacheRedis.port}`,
      s3: s3.endpoint,
    },
    stop: async () =>
      void (await Promise.all([postgres.remove(), redis.stop(), cacheRedis.stop(), s3.stop()])),
  };
}
