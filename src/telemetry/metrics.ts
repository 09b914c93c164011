import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from "prom-client";
import type { RegistryContentType } from "prom-client";
import { PLATFORM_CODES } from "../shared/error-faults.js";
import { cpuLimit, memoryLimit } from "./process-limits.js";
import { watchedPools } from "./watched-pools.js";

/** Every metric of the platform; labels are bounded sets, never ids or free text. */
export const metricsRegistry = new Registry<RegistryContentType>();
// Without it prom-client refuses exemplars; the end of this file goes back to the plain format.
metricsRegistry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
const registers = [metricsRegistry];

collectDefaultMetrics({ register: metricsRegistry });

export const requestDuration = new Histogram({
  name: "http_server_request_duration_seconds",
  help: "Time from the request's head to the answer's end, by route and GraphQL operation type.",
  labelNames: ["route", "operation_type", "status"] as const,
  buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  enableExemplars: true,
  registers,
});

export const operationErrors = new Counter({
  name: "graphql_operation_errors_total",
  help: "Errors in GraphQL answers, by code. They come with HTTP status 200.",
  labelNames: ["code"] as const,
  registers,
});

export const operations = new Counter({
  name: "graphql_operations_total",
  help: "GraphQL operations answered or begun, by type and outcome: OK, or the code of the error that counts.",
  labelNames: ["operation_type", "code"] as const,
  registers,
});

export const inferenceDuration = new Histogram({
  name: "model_inference_duration_seconds",
  help: "Time of one run of a graph, by model and where it ran.",
  labelNames: ["model", "placement"] as const,
  buckets: [0.00001, 0.00005, 0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5],
  enableExemplars: true,
  registers,
});

export const inferenceBatchRows = new Histogram({
  name: "model_inference_batch_rows",
  help: "Rows that one run of a graph computed, by model.",
  labelNames: ["model"] as const,
  buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256, 1024],
  registers,
});

export const inferenceProvider = new Gauge({
  name: "model_inference_provider",
  help: "1 for each execution provider that runs a model of this process.",
  labelNames: ["provider"] as const,
  registers,
});

export const embeddedTexts = new Counter({
  name: "embedding_texts_total",
  help: "Texts embedded, by model and priority; those from the cache are not among them.",
  labelNames: ["model", "priority"] as const,
  registers,
});

export const embeddedTokens = new Counter({
  name: "embedding_tokens_total",
  help: "Tokens of the texts embedded, by model and priority, padding left out.",
  labelNames: ["model", "priority"] as const,
  registers,
});

export const embeddingDuration = new Histogram({
  name: "embedding_duration_seconds",
  help: "Time from a call with texts to all of their vectors, by priority.",
  labelNames: ["priority"] as const,
  buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30],
  enableExemplars: true,
  registers,
});

export const embeddingBatchTokens = new Histogram({
  name: "embedding_batch_tokens",
  help: "Tokens of one run of an encoder, padding included, by priority.",
  labelNames: ["priority"] as const,
  buckets: [8, 32, 128, 512, 1024, 2048, 4096, 8192, 16_384],
  registers,
});

export const searchDuration = new Histogram({
  name: "search_duration_seconds",
  help: "Time of one search, its query's embedding included, by the mode that answered.",
  labelNames: ["mode"] as const,
  buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
  enableExemplars: true,
  registers,
});

export const cacheLookups = new Counter({
  name: "cache_lookups_total",
  help: "Lookups of what may be kept, by cache and result: hit, miss, or shared with an equal one under way.",
  labelNames: ["cache", "result"] as const,
  registers,
});

export const cacheServerUp = new Gauge({
  name: "cache_server_up",
  help: "Whether the shared cache is asked (1), or left alone because it failed (0), by call: read, write or rate.",
  labelNames: ["call"] as const,
  registers,
});

export const modelCacheBytes = new Gauge({
  name: "model_cache_bytes",
  help: "Size of the models held in memory.",
  registers,
});

export const inferenceQueueLength = new Gauge({
  name: "model_inference_queue_length",
  help: "Calls that wait for an inference worker.",
  registers,
});

export const jobQueueDepth = new Gauge({
  name: "job_queue_depth",
  help: "Jobs in the transport, by queue and state.",
  labelNames: ["queue", "state"] as const,
  registers,
});

export const jobQueueOldestAge = new Gauge({
  name: "job_queue_oldest_age_seconds",
  help: "How long the oldest waiting job has waited, by queue.",
  labelNames: ["queue"] as const,
  registers,
});

export const jobDuration = new Histogram({
  name: "job_duration_seconds",
  help: "Time of one delivery of a job, by kind and outcome.",
  labelNames: ["kind", "outcome"] as const,
  buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1800],
  enableExemplars: true,
  registers,
});

export const outboxLag = new Gauge({
  name: "outbox_lag_seconds",
  help: "Age of the oldest event that an open transaction keeps from its readers; 0 when there is none.",
  registers,
});

export const eventDelay = new Histogram({
  name: "event_delivery_delay_seconds",
  help: "Age of events when the reader of this process saw them.",
  buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30],
  registers,
});

export const subscriptionsOpen = new Gauge({
  name: "graphql_subscriptions_open",
  help: "Subscriptions that are being served.",
  registers,
});

export const predictionsLogged = new Counter({
  name: "prediction_log_rows_total",
  help: "Predictions and forecasts written to the log.",
  registers,
});

export const predictionLogFailures = new Counter({
  name: "prediction_log_failures_total",
  help: "Batches of predictions that could not be written, and are tried again.",
  registers,
});

export const auditLastSeal = new Gauge({
  name: "audit_last_seal_timestamp_seconds",
  help: "When this process last chained entries of the audit log.",
  registers,
});

export const auditSealLag = new Gauge({
  name: "audit_seal_lag_seconds",
  help: "Age of the oldest entry of the audit log that is in no seal yet; 0 when there is none.",
  registers,
});

export const auditEntriesDropped = new Counter({
  name: "audit_entries_dropped_total",
  help: "Refusals and queries that the audit log had no room for; mutations and reads of artifacts are never dropped.",
  labelNames: ["what"] as const,
  registers,
});

export const stageTransitions = new Counter({
  name: "model_stage_transitions_total",
  help: "Promotions and rollbacks, by stage entered.",
  labelNames: ["kind", "stage"] as const,
  registers,
});

export const versionSwitches = new Counter({
  name: "model_version_switches_total",
  help: "Times that this process began to serve another version of a model for a stage, or failed to load it.",
  labelNames: ["outcome"] as const,
  registers,
});

export const trainingRuns = new Counter({
  name: "training_runs_total",
  help: "Training runs that ended, by status.",
  labelNames: ["status"] as const,
  registers,
});

export const reindexes = new Counter({
  name: "collection_reindexes_total",
  help: "Reindexes of collections that ended, by status.",
  labelNames: ["status"] as const,
  registers,
});

export const indexSwitches = new Counter({
  name: "collection_index_switches_total",
  help: "Times that an index which stood ready took over without a reindex, as after a rollback.",
  registers,
});

export const documentChanges = new Counter({
  name: "documents_total",
  help: "Documents that came in or went, by what became of them.",
  labelNames: ["outcome"] as const,
  registers,
});

export const backupLastSuccess = new Gauge({
  name: "backup_last_success_timestamp_seconds",
  help: "When the newest backup was taken.",
  registers,
});

export const backupBytes = new Gauge({
  name: "backup_last_bytes",
  help: "Size of the last dump that this process made.",
  registers,
});

export const restoreTestLastSuccess = new Gauge({
  name: "restore_test_last_success_timestamp_seconds",
  help: "When the last restore was tested that brought everything back; 0: never; nothing where none can be.",
  registers,
});

export const restoreTestSeconds = new Gauge({
  name: "restore_test_seconds",
  help: "How long the last restore took that this process tested.",
  registers,
});

// Where none has been, 0 would be a record.
for (const gauge of [restoreTestLastSuccess, restoreTestSeconds]) gauge.remove();

export const mirrorLag = new Gauge({
  name: "mirror_lag_seconds",
  help: "Age of the last complete mirroring: what was stored before it is in the mirror.",
  registers,
});

export const mirrorMissing = new Gauge({
  name: "mirror_missing_artifacts",
  help: "Artifacts of READY versions that the mirror lacks; nothing without a mirror.",
  registers,
});

export const mirrorMissingAge = new Gauge({
  name: "mirror_oldest_missing_seconds",
  help: "Age of the oldest version whose artifact the mirror lacks; 0 when it lacks none.",
  registers,
});

// Without a mirror there is no sample: 0 would say that all is well.
for (const gauge of [mirrorMissing, mirrorMissingAge]) gauge.remove();

export const apiKeysEnding = new Gauge({
  name: "api_keys_ending_soon",
  help: "API keys that end within 14 days.",
  registers,
});

export const apiKeyNextEnd = new Gauge({
  name: "api_key_next_end_seconds",
  help: "Time until the next API key ends; infinite where there is none.",
  registers,
});

export const healthCheckUp = new Gauge({
  name: "health_check_up",
  help: "Whether this process could use what it needs (1) or not (0), by what was checked.",
  labelNames: ["check"] as const,
  registers,
});

export const databaseConnections = new Gauge({
  name: "database_pool_connections",
  help: "Connections of the pools to the database and its replicas: used, idle, and those that somebody waits for.",
  labelNames: ["server", "state"] as const,
  registers,
  collect() {
    this.reset();
    for (const [server, { totalCount, idleCount, waitingCount }] of watchedPools) {
      this.set({ server, state: "used" }, totalCount - idleCount);
      this.set({ server, state: "idle" }, idleCount);
      this.set({ server, state: "waiting" }, waitingCount);
    }
  },
});

export const statementDuration = new Histogram({
  name: "database_statement_duration_seconds",
  help: "Time of one SQL statement, by its kind; those of the queue in the database are not among them.",
  labelNames: ["statement"] as const,
  buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
  enableExemplars: true,
  registers,
});

export const replicaLag = new Gauge({
  name: "database_replica_lag_seconds",
  help: "How far a read replica is behind the primary by this process's clock, ten minutes at most.",
  labelNames: ["replica"] as const,
  registers,
});

export const gpuMemoryUsed = new Gauge({
  name: "gpu_memory_used_bytes",
  help: "Memory of a GPU that is in use, by whatever process.",
  labelNames: ["gpu"] as const,
  registers,
});

export const gpuMemoryTotal = new Gauge({
  name: "gpu_memory_total_bytes",
  help: "Memory of a GPU.",
  labelNames: ["gpu"] as const,
  registers,
});

export const gpuUtilization = new Gauge({
  name: "gpu_utilization_ratio",
  help: "Share of the time in which a GPU computed, as its driver tells.",
  labelNames: ["gpu"] as const,
  registers,
});

new Gauge({
  name: "process_cpu_limit_cores",
  help: "Cores that this process may use: of its container, or of the machine.",
  registers,
  collect() {
    this.set(cpuLimit());
  },
});

new Gauge({
  name: "process_memory_limit_bytes",
  help: "Memory that this process may use: of its container, or of the machine.",
  registers,
  collect() {
    this.set(memoryLimit());
  },
});

// A series that begins with its first count shows no increase: what alerts ask for is there from the start.
for (const operation_type of ["query", "mutation"]) {
  for (const code of ["OK", ...PLATFORM_CODES]) operations.inc({ operation_type, code }, 0);
}
for (const what of ["refusal", "query"]) auditEntriesDropped.inc({ what }, 0);
for (const outcome of ["served", "failed"]) versionSwitches.inc({ outcome }, 0);

metricsRegistry.setContentType(Registry.PROMETHEUS_CONTENT_TYPE);

const MOST_MODEL_LABELS = 200;
const modelLabels = new Set<string>();

/** The model's name while there are few; `other` beyond, so that series stay bounded. */
export function modelLabel(name: string): string {
  if (modelLabels.has(name)) return name;
  if (modelLabels.size >= MOST_MODEL_LABELS) return "other";
  modelLabels.add(name);
  return name;
}
