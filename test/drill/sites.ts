import { rm } from "node:fs/promises";
import { DeleteBucketCommand, DeleteObjectsCommand, ListObjectVersionsCommand } from "@aws-sdk/client-s3";
import { startCluster } from "../support/cluster.js";
import type { Cluster } from "../support/cluster.js";
import type { PostgresServer } from "../support/postgres-server.js";
import { startRedis } from "../support/redis-server.js";
import type { RedisServer } from "../support/redis-server.js";
import { startWalArchive } from "../support/wal-archive.js";
import type { RestoredServer, WalArchive } from "../support/wal-archive.js";
import { makeBucket, makePlace, s3Client } from "../faults/place.js";
import type { Place } from "../faults/place.js";
import { LEASE_MS } from "../faults/site.js";
import { startTier } from "../faults/tier.js";
import type { Tier } from "../faults/tier.js";

/** The servers that are lost, and what is kept elsewhere: the archive of the log, and the mirror. */
export interface FirstSite {
  tier: Tier;
  archive: WalArchive;
  place: Place;
  mirror: string;
  cluster: Cluster;
}

/** What is there after a recovery. The mirror has become the store, and has a mirror of its own. */
export interface SecondSite {
  restored: RestoredServer;
  dsn: string;
  store: string;
  mirror: string;
  cluster: Cluster;
}

export async function openFirstSite(): Promise<FirstSite> {
  const tier = await startTier();
  const archive = await startWalArchive(tier.postgres);
  const place = await makePlace(tier);
  const mirror = `${place.name}-mirror`;
  await makeBucket(tier.s3.endpoint, mirror);
  const cluster = await openCluster({
    ...{ dsn: place.dsn, queue: tier.queue, cache: tier.cache },
    ...{ endpoint: tier.s3.endpoint, store: place.name, mirror },
  });
  return { tier, archive, place, mirror, cluster };
}

/** Everything dies at once: processes, the database with its disk, both Redis with theirs, and the bucket. */
export async function lose({ tier, place, cluster }: FirstSite): Promise<void> {
  const { postgres, queue, cache, s3 } = tier;
  const processes = [...cluster.gateways, ...cluster.workers].map((each) => each.kill());
  await Promise.all([...processes, postgres.kill(), queue.kill(), cache.kill()]);
  const folders = [postgres.dataDir, queue.folder, cache.folder];
  await Promise.all([
    ...folders.map((folder) => rm(folder, { recursive: true, force: true })),
    dropBucket(s3.endpoint, place.name),
  ]);
}

/** As the README tells: the database from its log, an empty queue, the mirror in place of the store. */
export async function openSecondSite(
  { tier, archive, place, mirror }: FirstSite,
  started: (server: PostgresServer) => Promise<void>,
): Promise<SecondSite> {
  const copies = `${place.name}-copies`;
  const [restored, queue, cache] = await Promise.all([
    archive.restore(),
    startRedis({ policy: "noeviction", appendOnly: true }),
    startRedis({ policy: "allkeys-lfu" }),
    makeBucket(tier.s3.endpoint, copies),
  ]);
  await started(restored.server);
  const dsn = restored.server.dsn(place.name);
  const cluster = await openCluster({
    ...{ dsn, queue, cache, endpoint: tier.s3.endpoint, store: mirror, mirror: copies },
  });
  const remove = async () => {
    await cluster.remove();
    await Promise.all([queue.stop(), cache.stop(), restored.server.remove()]);
  };
  return { restored, dsn, store: mirror, mirror: copies, cluster: { ...cluster, remove } };
}

export async function closeFirstSite({ tier, archive, cluster }: FirstSite): Promise<void> {
  await cluster.remove();
  await archive.remove();
  await tier.stop();
}

interface Addresses {
  dsn: string;
  queue: RedisServer;
  cache: RedisServer;
  endpoint: string;
  store: string;
  mirror: string;
}

function openCluster({ dsn, queue, cache, endpoint, store, mirror }: Addresses): Promise<Cluster> {
  return startCluster({
    servers: { dsn, redisUrl: queue.url, s3: { endpoint, bucket: store } },
    ...{ gateways: 1, workers: 1 },
    environment: {
      ML_CACHE_REDIS_URL: cache.url,
      ML_MIRROR_BUCKET: mirror,
      ML_MIRROR_CRON: "off",
      ML_JOB_LEASE_MS: String(LEASE_MS),
    },
  });
}

/** With every version of every object. */
async function dropBucket(endpoint: string, Bucket: string): Promise<void> {
  const client = s3Client(endpoint);
  for (;;) {
    const { Versions = [], DeleteMarkers = [] } = await client.send(
      new ListObjectVersionsCommand({ Bucket }),
    );
    const Objects = [...Versions, ...DeleteMarkers].map(({ Key, VersionId }) => ({ Key: Key!, VersionId }));
    if (Objects.length === 0) break;
    await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } }));
  }
  await client.send(new DeleteBucketCommand({ Bucket }));
  client.destroy();
}
