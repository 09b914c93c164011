import { randomUUID } from "node:crypto";
import { createBullmqJobQueue } from "../../src/adapters/bullmq/bullmq-job-queue.js";
import type { BullmqJobQueue } from "../../src/adapters/bullmq/bullmq-job-queue.js";
import type { TlsFiles } from "../../src/config/config.js";
import { startMutingProxy } from "../support/muting-proxy.js";
import { QUICK } from "./job-queue-contract.js";
import type { QueueUnderTest } from "./job-queue-contract.js";

export interface RedisPlace {
  url: string;
  /** Behind which another process's view goes silent; absent where clients find the server by themselves. */
  port?: number;
  tls?: TlsFiles;
  stop(): Promise<void>;
}

/** A queue on a Redis, as quick as the contract wants it. */
export function openRedisQueue(
  { url, tls }: Pick<RedisPlace, "url" | "tls">,
  prefix: string,
): Promise<BullmqJobQueue> {
  const transport = { kind: "redis" as const, url, tls, prefix, startTimeoutMs: 10_000, watchMs: 100 };
  return createBullmqJobQueue({ ...QUICK, transport, onError: () => undefined });
}

export async function queueOnRedis(place: RedisPlace): Promise<QueueUnderTest> {
  const { url, port, tls, stop } = place;
  const prefix = randomUUID();
  const queue = await openRedisQueue(place, prefix);
  const another = async () => {
    if (port === undefined) {
      const other = await openRedisQueue(place, prefix);
      return { queue: other, close: () => other.close() };
    }
    const proxy = await startMutingProxy(port);
    const behind = url.replace(`:${port}`, `:${proxy.port}`);
    const other = await openRedisQueue({ url: behind, tls }, prefix);
    const close = async () => {
      await other.close();
      await proxy.close();
    };
    return { ...proxy, queue: other, close };
  };
  return {
    queue,
    another,
    drop: async () => {
      await queue.close();
      await stop();
    },
  };
}
