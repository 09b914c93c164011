import type { Histogram } from "prom-client";
import { decisiveCode } from "../shared/error-faults.js";
import { createLogger } from "./logger.js";
import type { Logger } from "./logger.js";
import {
  backupBytes,
  cacheLookups,
  cacheServerUp,
  documentChanges,
  embeddedTexts,
  embeddedTokens,
  embeddingBatchTokens,
  embeddingDuration,
  indexSwitches,
  inferenceBatchRows,
  inferenceDuration,
  inferenceProvider,
  modelLabel,
  operationErrors,
  operations,
  reindexes,
  restoreTestSeconds,
  requestDuration,
  searchDuration,
  stageTransitions,
  trainingRuns,
  versionSwitches,
} from "./metrics.js";
import { currentExemplar } from "./tracing.js";

let logger: Logger = createLogger("silent");

/** Observes a value, and by which trace it can be looked into. */
export function observeTraced<Label extends string>(
  histogram: Histogram<Label>,
  labels: Partial<Record<Label, string>>,
  value: number,
): void {
  histogram.observe({ labels, value, exemplarLabels: currentExemplar() as typeof labels });
}

/** Where business events are logged; set once by the composition root. */
export function logEventsTo(target: Logger): void {
  logger = target;
}

export function reportStageTransition(transition: { model: string; kind: string; stage: string }): void {
  stageTransitions.inc({ kind: transition.kind, stage: transition.stage });
  logger.info({ event: "model.stage_changed", ...transition }, "a model version changed its stage");
}

interface VersionSwitch {
  model: string;
  stage: string;
  version: string;
}

/** This process serves another version from now on; `seconds` it took to load and warm it. */
export function reportVersionServed(change: VersionSwitch & { number: number; seconds: number }): void {
  versionSwitches.inc({ outcome: "served" });
  logger.info({ event: "model.version_served", ...change }, "a promoted version is warm and serves here");
}

/** The version before goes on serving here, and loading is tried again. */
export function reportVersionNotServed(change: VersionSwitch & { err: unknown }): void {
  versionSwitches.inc({ outcome: "failed" });
  logger.error(
    { event: "model.version_not_served", ...change },
    "a promoted version does not load; the one before it goes on serving here",
  );
}

export function reportTrainingEnd(run: {
  run: string;
  model: string;
  status: string;
  reason?: string;
}): void {
  trainingRuns.inc({ status: run.status });
  logger.info({ event: "training.ended", ...run }, "a training run ended");
}

/** A collection was embedded anew, or it was tried. */
export function reportReindexEnd(reindex: {
  job: string;
  collection: string;
  status: "COMPLETED" | "FAILED" | "CANCELLED";
  index?: number;
  recall?: number | null;
  reason?: string;
}): void {
  reindexes.inc({ status: reindex.status });
  logger.info({ event: "collection.reindexed", ...reindex }, "a reindex ended");
}

/** An index that stood ready answers a collection's searches. */
export function reportIndexSwitch(change: { collection: string; index: number; version: string }): void {
  indexSwitches.inc();
  logger.info({ event: "collection.index_switched", ...change }, "another index answers searches");
}

/** Documents that came into a collection or went from it, by what became of them. */
export function reportDocuments({ collection, ...counts }: DocumentReport): void {
  for (const [outcome, count] of Object.entries(counts)) documentChanges.inc({ outcome }, count);
  logger.info({ event: "documents.changed", collection, ...counts }, "documents came in or went");
}

/** A backup is in the object store, verified. */
export function reportBackup(backup: { backup: string; bytes: number; seconds: number }): void {
  backupBytes.set(backup.bytes);
  logger.info({ event: "backup.taken", ...backup }, "a backup was taken");
}

/** A backup was restored where restores are tested. */
export function reportRestoreTest(test: { backup: string; seconds: number }): void {
  restoreTestSeconds.set(test.seconds);
  logger.info({ event: "backup.restore_tested", ...test }, "a restore was tested");
}

/** Something was removed for good, or would have been. */
export function reportCleanup(cleanup: { dryRun: boolean; counts: Record<string, number> }): void {
  logger.info({ event: "cleanup.ended", ...cleanup }, "a cleanup ended");
}

interface DocumentReport {
  collection: string;
  created?: number;
  updated?: number;
  unchanged?: number;
  deleted?: number;
}

/** The keys of the identity provider were read, or could not be; those of before are trusted for a while. */
export function reportProviderKeys({ count, err }: { count?: number; err?: unknown }): void {
  if (err === undefined) logger.debug({ event: "identity.keys_read", count }, "read the provider's keys");
  else logger.warn({ event: "identity.keys_unknown", err }, "the identity provider does not tell its keys");
}

/** Somebody says for whom it speaks, and is not believed. */
export function reportUnknownProxy(): void {
  logger.warn(
    { event: "http.unknown_proxy" },
    "X-Forwarded-For comes from an address that ML_TRUSTED_PROXIES does not name: if it is a proxy, all behind it count as one client",
  );
}

/** An API key ends soon: whoever calls with it needs another. */
export function reportApiKeyEnding(key: { apiKey: string; seconds: number }): void {
  logger.warn({ event: "api_key.ending", ...key }, "an API key ends soon; rotate it");
}

export function reportOperationError(error: {
  code: string;
  errorId?: string;
  requestId?: string;
  err?: unknown;
}): void {
  operationErrors.inc({ code: error.code });
  if (error.code === "INTERNAL") logger.error({ event: "operation.failed", ...error }, "an operation failed");
}

/**
 * An operation was answered, or begun where it goes on.
 * @param codes of its errors
 */
export function reportOperation(type: string | undefined, codes: readonly string[]): void {
  operations.inc({ operation_type: type ?? "none", code: decisiveCode(codes) });
}

/** One run of a graph, perhaps for many calls at once. */
export function reportInference(
  run: { batchRows: number; seconds: number; placement: string },
  modelName: string,
): void {
  const model = modelLabel(modelName);
  observeTraced(inferenceDuration, { model, placement: run.placement }, run.seconds);
  inferenceBatchRows.observe({ model }, run.batchRows);
}

const reportedProviders = new Set<string>();

/** A model was loaded; where there was a choice, says once which provider runs it. */
export function reportInferenceProvider(provider: string, wanted: readonly string[]): void {
  inferenceProvider.set({ provider }, 1);
  if (wanted.length === 1 || reportedProviders.has(provider)) return;
  reportedProviders.add(provider);
  const fields = { event: "inference.provider", provider };
  if (provider === wanted[0]) logger.info(fields, `${provider} runs the models`);
  else logger.warn(fields, `${wanted[0]} is not available here; ${provider} runs the models`);
}

export function reportEmbeddingBatch(batch: { priority: string; paddedTokens: number }): void {
  embeddingBatchTokens.observe({ priority: batch.priority }, batch.paddedTokens);
}

/** Texts of one call that had to be embedded. */
export function reportEmbedded(
  modelName: string,
  { priority, texts, tokens }: { priority: string; texts: number; tokens: number },
): void {
  const model = modelLabel(modelName);
  embeddedTexts.inc({ model, priority }, texts);
  embeddedTokens.inc({ model, priority }, tokens);
}

export function reportEmbeddingCall(call: { priority: string; seconds: number }): void {
  observeTraced(embeddingDuration, { priority: call.priority }, call.seconds);
}

/** Lookups by their result. */
export function reportCacheLookups(
  cache: string,
  results: Partial<Record<"hit" | "miss" | "shared", number>>,
): void {
  for (const [result, count] of Object.entries(results)) cacheLookups.inc({ cache, result }, count);
}

/** At every run of a model: the labels are looked up once. */
const loadedModels = {
  hit: cacheLookups.labels("model", "hit"),
  miss: cacheLookups.labels("model", "miss"),
};

/** A run found its model in memory, or had to have it loaded. */
export function reportModelLookup(result: "hit" | "miss"): void {
  loadedModels[result].inc();
}

/** The shared cache fails, or is back: once for each outage. */
export function reportCacheServer({ call, available, reason }: CacheServerReport): void {
  cacheServerUp.set({ call }, available ? 1 : 0);
  if (available) logger.info({ event: "cache.back", call }, "the shared cache answers again");
  else
    logger.warn(
      { event: "cache.away", call, reason },
      "the shared cache fails; answers are found without it",
    );
}

interface CacheServerReport {
  call: "read" | "write" | "rate";
  available: boolean;
  reason?: string;
}

/** A version is READY before the mirror has its artifact. */
export function reportNotMirrored(version: { artifacts: string[]; err: unknown }): void {
  logger.warn(
    { event: "artifact.not_mirrored", ...version },
    "the mirror could not be given an artifact; the next mirroring copies it",
  );
}

export function reportSearch(search: { mode: string; seconds: number }): void {
  observeTraced(searchDuration, { mode: search.mode }, search.seconds);
}

export interface HttpRequestReport {
  requestId: string;
  method: string;
  /** Pattern of the route, never the path itself: artifact links carry signatures. */
  route: string;
  status: number;
  durationMs: number;
  operationType?: string;
  caller?: string;
}

/** Every request counts; what changes something or fails is also logged, the rest for debugging only. */
export function reportHttpRequest({ route, ...request }: HttpRequestReport): void {
  const { operationType, status, durationMs } = request;
  observeTraced(
    requestDuration,
    { route, operation_type: operationType ?? "none", status: String(status) },
    durationMs / 1000,
  );
  const fields = { event: "http.request", path: route, ...request };
  if (operationType === "mutation" || status >= 500) logger.info(fields, "request");
  else logger.debug(fields, "request");
}
