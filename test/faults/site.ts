import { startCluster } from "../support/cluster.js";
import type { Cluster, ClusterOptions, ClusterProcess } from "../support/cluster.js";
import { bearer } from "../support/tokens.js";
import { GraphClient } from "./graph-client.js";
import { makePlace } from "./place.js";
import type { Place } from "./place.js";
import type { Tier } from "./tier.js";

export interface SiteOptions {
  gateways?: number;
  workers?: ClusterOptions["workers"];
  environment?: Record<string, string>;
  /** Where the processes find their servers, when there is something in between. */
  servers?: (place: Place) => Partial<Pick<Place, "dsn" | "redisUrl" | "cacheRedisUrl" | "s3">>;
}

/** Gateways and workers on a database, a queue and a bucket of their own. */
export interface Site {
  tier: Tier;
  place: Place;
  cluster: Cluster;
  /** One for each gateway, whether it answers or not. */
  gateways(): readonly GraphClient[];
  remove(): Promise<void>;
}

/** How long a worker may be silent here: a fault is over in seconds, not in minutes. */
export const LEASE_MS = 2_000;

const SHOWN_LINES = 12;

export async function openSite(tier: Tier, options: SiteOptions = {}): Promise<Site> {
  const place = await makePlace(tier);
  const { dsn, redisUrl, cacheRedisUrl, s3 } = { ...place, ...options.servers?.(place) };
  const cluster = await startCluster({
    servers: { dsn, redisUrl, s3 },
    gateways: options.gateways ?? 2,
    workers: options.workers ?? 1,
    environment: {
      ML_CACHE_REDIS_URL: cacheRedisUrl,
      ML_JOB_LEASE_MS: String(LEASE_MS),
      ML_DRAIN_MS: "5000",
      ...options.environment,
    },
  });
  return {
    ...{ tier, place, cluster },
    gateways: () => cluster.gateways.map(({ url }) => new GraphClient(url, bearer(cluster.token))),
    remove: async () => {
      await cluster.remove();
      await place.remove();
    },
  };
}

/** Does the work on a site of its own; where it fails, the words of the site's processes are shown. */
export async function onSite<T>(
  tier: Tier,
  options: SiteOptions,
  work: (site: Site) => Promise<T>,
): Promise<T> {
  const site = await openSite(tier, options);
  try {
    return await work(site);
  } catch (error) {
    for (const each of [...site.cluster.gateways, ...site.cluster.workers]) console.log(lastWords(each));
    throw error;
  } finally {
    await site.remove();
  }
}

function lastWords({ kind, pid, log, stderr }: ClusterProcess): string {
  const serious = log.filter(({ level }) => level !== "info" && level !== "debug").slice(-SHOWN_LINES);
  const lines = [...serious.map((line) => JSON.stringify(line).slice(0, 600)), stderr().slice(-2_000)];
  return [`-- ${kind} ${pid}`, ...lines.filter((line) => line !== "")].join("\n");
}
