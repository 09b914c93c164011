import { FlowProducer, Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import type { JobPayload, JobTransport } from "./job-transport.js";

/** Queues in a Redis that must run with `maxmemory-policy noeviction`: another policy loses jobs silently. */
export async function openRedisTransport(
  url: string,
  onError: (error: Error) => void,
): Promise<JobTransport> {
  // Commands wait for a Redis that is away instead of failing after some attempts; BullMQ requires it.
  const connection = new Redis(url, { maxRetriesPerRequest: null, lazyConnect: true });
  connection.on("error", onError);
  await connection.connect();
  return {
    openQueue: (name) => new Queue<JobPayload, void>(name, { connection }),
    openFlows: () => new FlowProducer({ connection }),
    openWorker: (name, process, options) =>
      new Worker<JobPayload, void>(name, process, { ...options, connection }),
    ping: () => connection.ping(),
    close: async () => {
      await connection.quit();
    },
  };
}
