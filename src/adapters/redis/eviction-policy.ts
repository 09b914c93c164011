import { Cluster } from "ioredis";
import type { Redis } from "ioredis";
import type { RedisClient } from "./redis-client.js";

/**
 * What the server does when its memory is full, e.g. `noeviction`; of a cluster's masters the first that is another.
 * @returns undefined where the server tells nobody, as some managed ones do
 */
export async function evictionPolicy(client: RedisClient): Promise<string | undefined> {
  const servers = client instanceof Cluster ? client.nodes("master") : [client];
  const policies = await Promise.all(servers.map(policyOf));
  return policies.find((policy) => policy !== undefined && policy !== "noeviction") ?? policies[0];
}

async function policyOf(server: Redis): Promise<string | undefined> {
  // Either may be forbidden; both are refused in words of the server's own.
  const [, configured] = await (server.config("GET", "maxmemory-policy") as Promise<string[]>).catch(
    () => [],
  );
  if (configured !== undefined) return configured;
  const memory = await server.info("memory").catch(() => "");
  return /^maxmemory_policy:(\S+)/m.exec(memory)?.[1];
}
