import { inferenceQueueLength, jobQueueDepth, jobQueueOldestAge, modelCacheBytes } from "./metrics.js";

interface QueueSource {
  depths(): Promise<
    {
      queue: string;
      waiting: number;
      delayed: number;
      active: number;
      failed: number;
      oldestAgeSeconds: number;
    }[]
  >;
}

interface RuntimeSource {
  stats(): { cachedBytes: number; queued: number };
}

/**
 * Reads what is not counted where it happens.
 * @returns stops reading
 */
export function collectGauges(queue: QueueSource, runtime: RuntimeSource, everyMs: number): () => void {
  const collect = async (): Promise<void> => {
    const { cachedBytes, queued } = runtime.stats();
    modelCacheBytes.set(cachedBytes);
    inferenceQueueLength.set(queued);
    // A queue that does not answer shows in /health; the gauges keep their last values.
    const depths = await queue.depths().catch(() => []);
    for (const { queue: name, waiting, delayed, active, failed, oldestAgeSeconds } of depths) {
      jobQueueDepth.set({ queue: name, state: "waiting" }, waiting);
      jobQueueDepth.set({ queue: name, state: "delayed" }, delayed);
      jobQueueDepth.set({ queue: name, state: "active" }, active);
      jobQueueDepth.set({ queue: name, state: "failed" }, failed);
      jobQueueOldestAge.set({ queue: name }, oldestAgeSeconds);
    }
  };
  const timer = setInterval(() => void collect(), everyMs);
  timer.unref();
  return () => clearInterval(timer);
}
