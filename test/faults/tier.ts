import { startPostgres } from "../support/postgres-server.js";
import type { PostgresServer } from "../support/postgres-server.js";
import { startRedis } from "../support/redis-server.js";
import type { RedisServer } from "../support/redis-server.js";
import { startS3 } from "../support/s3-server.js";
import type { S3Server } from "../support/s3-server.js";

/** The servers of a run. A fault that breaks one mends it before it ends. */
export interface Tier {
  postgres: PostgresServer;
  /** Keeps every change, as the queue's Redis does in production. */
  queue: RedisServer;
  cache: RedisServer;
  s3: S3Server;
  stop(): Promise<void>;
}

export async function startTier(): Promise<Tier> {
  const [postgres, queue, cache, s3] = await Promise.all([
    startPostgres({ durable: true }),
    startRedis({ policy: "noeviction", appendOnly: true }),
    startRedis({ policy: "allkeys-lfu" }),
    startS3(),
  ]);
  return {
    ...{ postgres, queue, cache, s3 },
    stop: async () => {
      await Promise.all([postgres.remove(), queue.stop(), cache.stop(), s3.kill()]);
    },
  };
}
