import { collectGpus } from "./gpu-gauges.js";
import {
  apiKeyNextEnd,
  apiKeysEnding,
  auditSealLag,
  backupLastSuccess,
  healthCheckUp,
  inferenceQueueLength,
  jobQueueDepth,
  jobQueueOldestAge,
  mirrorLag,
  mirrorMissing,
  mirrorMissingAge,
  modelCacheBytes,
  outboxLag,
  restoreTestLastSuccess,
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

interface UpkeepSource {
  lastSuccess(): Promise<Date | undefined>;
}

interface MirrorSource extends UpkeepSource {
  /** Undefined where nothing is mirrored. */
  gaps(): Promise<{ count: number; oldestSeconds: number }> | undefined;
}

interface KeySource {
  expiry(): Promise<{ soon: number; next: Date | null }>;
}

interface LagSource {
  /** In seconds. */
  lag(): Promise<number>;
}

interface HealthSource {
  report(): Promise<{ checks: Record<string, string> }>;
}

export interface GaugeSources {
  health: HealthSource;
  queue: QueueSource;
  runtime: RuntimeSource;
  /** Whichever process did it. */
  backups: UpkeepSource;
  mirror: MirrorSource;
  restoreTests: UpkeepSource;
  apiKeys: KeySource;
  /** Seals of the audit log. */
  sealer: LagSource;
  /** Events for subscribers. */
  feed: LagSource;
  /** Whether models may run on a GPU here. */
  gpus: boolean;
}

/**
 * Reads what is not counted where it happens. What does not answer shows in /health; its gauges keep their last values.
 * @returns stops reading
 */
export function collectGauges(sources: GaugeSources, everyMs: number): () => void {
  const collect = async (): Promise<void> => {
    const { cachedBytes, queued } = sources.runtime.stats();
    modelCacheBytes.set(cachedBytes);
    inferenceQueueLength.set(queued);
    await Promise.allSettled([
      collectHealth(sources.health),
      collectQueues(sources.queue),
      collectUpkeep(sources),
      collectMirrorGaps(sources.mirror),
      collectKeys(sources),
      sources.sealer.lag().then((seconds) => auditSealLag.set(seconds)),
      sources.feed.lag().then((seconds) => outboxLag.set(seconds)),
      ...(sources.gpus ? [collectGpus()] : []),
    ]);
  };
  const timer = setInterval(() => void collect(), everyMs);
  timer.unref();
  return () => clearInterval(timer);
}

async function collectHealth(health: HealthSource): Promise<void> {
  const { checks } = await health.report();
  for (const [check, outcome] of Object.entries(checks))
    healthCheckUp.set({ check }, outcome === "ok" ? 1 : 0);
}

async function collectQueues(queue: QueueSource): Promise<void> {
  for (const { queue: name, waiting, delayed, active, failed, oldestAgeSeconds } of await queue.depths()) {
    jobQueueDepth.set({ queue: name, state: "waiting" }, waiting);
    jobQueueDepth.set({ queue: name, state: "delayed" }, delayed);
    jobQueueDepth.set({ queue: name, state: "active" }, active);
    jobQueueDepth.set({ queue: name, state: "failed" }, failed);
    jobQueueOldestAge.set({ queue: name }, oldestAgeSeconds);
  }
}

async function collectUpkeep({ backups, mirror, restoreTests }: GaugeSources): Promise<void> {
  const [backup, mirrored, tested] = await Promise.all(
    [backups, mirror, restoreTests].map((source) => source.lastSuccess()),
  );
  if (backup) backupLastSuccess.set(backup.getTime() / 1000);
  if (tested) restoreTestLastSuccess.set(tested.getTime() / 1000);
  if (mirrored) mirrorLag.set((Date.now() - mirrored.getTime()) / 1000);
}

async function collectMirrorGaps(mirror: MirrorSource): Promise<void> {
  const gaps = await mirror.gaps();
  if (!gaps) return;
  mirrorMissing.set(gaps.count);
  mirrorMissingAge.set(gaps.oldestSeconds);
}

async function collectKeys({ apiKeys }: GaugeSources): Promise<void> {
  const { soon, next } = await apiKeys.expiry();
  apiKeysEnding.set(soon);
  apiKeyNextEnd.set(next ? (next.getTime() - Date.now()) / 1000 : Number.POSITIVE_INFINITY);
}
