import {
  backupLastSuccess,
  inferenceQueueLength,
  jobQueueDepth,
  jobQueueOldestAge,
  mirrorLag,
  modelCacheBytes,
} from "./metrics.js";

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

interface UpkeepSource {
  lastSuccess(): Promise<Date | undefined>;
}

/**
 * Reads when the last backup and mirroring succeeded, whichever process did it.
 * @returns stops reading
 */
export function collectUpkeepGauges(
  backups: UpkeepSource,
  mirror: UpkeepSource,
  everyMs: number,
): () => void {
  const collect = async (): Promise<void> => {
    const [backup, mirrored] = await Promise.all([backups.lastSuccess(), mirror.lastSuccess()]);
    if (backup) backupLastSuccess.set(backup.getTime() / 1000);
    if (mirrored) mirrorLag.set((Date.now() - mirrored.getTime()) / 1000);
  };
  // A database that does not answer shows in /health; the gauges keep their last values.
  const timer = setInterval(() => void collect().catch(() => undefined), everyMs);
  timer.unref();
  return () => clearInterval(timer);
}
