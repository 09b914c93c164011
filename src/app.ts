import { join } from "node:path";
import type { GraphQLSchema } from "graphql";
import { openProcessFolder } from "./adapters/process-folder.js";
import { createOnnxInferenceRuntime } from "./adapters/onnx/onnx-inference-runtime.js";
import { migrations } from "../migrations/index.js";
import { readAuditSecrets } from "./audit-secrets.js";
import type { Config, InferenceConfig } from "./config/config.js";
import { closeInOrder } from "./close-in-order.js";
import type { LatestConfig } from "./live-config.js";
import { openEngines } from "./engines.js";
import type { Engines } from "./engines.js";
import { buildGraph } from "./gateway/build-schema.js";
import type { Door } from "./gateway/door.js";
import { createHealthDoor } from "./gateway/health-door.js";
import { HealthState } from "./gateway/health-state.js";
import { createGateway } from "./gateway/server.js";
import { TlsServer } from "./gateway/tls-server.js";
import { apiKeyEntities, createApiKeysModule } from "./modules/api-keys/index.js";
import type { ApiKeysModule } from "./modules/api-keys/index.js";
import { auditEntities, AuditedDatabase, auditPartitions, createAuditModule } from "./modules/audit/index.js";
import type { AuditModule } from "./modules/audit/index.js";
import { createCurvesModule, curveEntities, snapshotPartitions } from "./modules/curves/index.js";
import { createEmbeddingsModule } from "./modules/embeddings/index.js";
import type { EmbeddingsModule } from "./modules/embeddings/index.js";
import { NodeResolver } from "./modules/graph/index.js";
import type { NodeSource } from "./modules/graph/index.js";
import { Authenticator, IdentityResolver } from "./modules/identity/index.js";
import { createModelsModule, modelEntities } from "./modules/models/index.js";
import type { LinkKeys, ModelsModule } from "./modules/models/index.js";
import {
  createOperationsModule,
  operationsEntities,
  outboxPartitions,
  PartitionService,
} from "./modules/operations/index.js";
import type { OperationsModule } from "./modules/operations/index.js";
import {
  createPredictionsModule,
  predictionEntities,
  predictionPartitions,
} from "./modules/predictions/index.js";
import { SampleLoader } from "./modules/samples/index.js";
import { createSearchModule, searchEntities } from "./modules/search/index.js";
import type { SearchModule } from "./modules/search/index.js";
import { createTrainingModule, trainingEntities } from "./modules/training/index.js";
import type { TrainingModule } from "./modules/training/index.js";
import { assertMigrated, assertSchemaIsKnown } from "./schema-check.js";
import { createUpkeepModule, upkeepEntities } from "./modules/upkeep/index.js";
import type { UpkeepModule } from "./modules/upkeep/index.js";
import { identitySecrets, linkKeysOf, readApiKeyPepper } from "./process-secrets.js";
import type { Database } from "./ports/database.js";
import type { InferenceRuntime } from "./ports/inference-runtime.js";
import type { JobQueue } from "./ports/job-queue.js";
import type { ObjectStore } from "./ports/object-store.js";
import { armFailpoints } from "./shared/failpoint.js";
import { collectGauges } from "./telemetry/collect-gauges.js";
import { logEventsTo, reportInference, reportInferenceProvider } from "./telemetry/events.js";
import { createLogger } from "./telemetry/logger.js";
import type { Logger } from "./telemetry/logger.js";
import { startTracing } from "./telemetry/tracing.js";
import type { Tracing } from "./telemetry/tracing.js";
import { PACKAGE_ROOT } from "./shared/package-root.js";

export const entities = [
  ...operationsEntities,
  ...curveEntities,
  ...modelEntities,
  ...trainingEntities,
  ...predictionEntities,
  ...searchEntities,
  ...upkeepEntities,
  ...auditEntities,
  ...apiKeyEntities,
];

/** The assembled platform, before it listens or works. */
export interface App {
  config: Config;
  logger: Logger;
  database: Database;
  queue: JobQueue;
  store: ObjectStore;
  operations: OperationsModule;
  partitions: PartitionService;
  models: ModelsModule;
  embeddings: EmbeddingsModule;
  training: TrainingModule;
  search: SearchModule;
  upkeep: UpkeepModule;
  audit: AuditModule;
  apiKeys: ApiKeysModule;
  samples: SampleLoader;
  schema: GraphQLSchema;
  door: Door;
  health: HealthState;
  /** Writes what is still to be written, then lets go of the engines. @returns whether all closed in order */
  close(): Promise<boolean>;
}

const SAMPLES_FOLDER = join(PACKAGE_ROOT, "samples");
const METRICS_EVERY_MS = 5_000;

export interface AppOptions {
  /** What the door answers: the graph and health, or health alone. */
  serves?: "graph" | "health";
  /** Where secrets may change while the process runs. */
  latest?: LatestConfig;
}

/** The composition root: one place that knows every constructor. */
export async function createApp(
  config: Config,
  { serves = "graph", latest = () => config }: AppOptions = {},
): Promise<App> {
  const logger = createLogger(config.logLevel);
  armFailpoints(config.failpoints);
  logEventsTo(logger);
  const tracing = await startTracing(config.otlpEndpoint);
  const { engines, audit } = await openAudited(latest, logger);
  const { database, queue } = engines;
  const secrets = () => identitySecrets(latest());
  const fallbackPepper = await readApiKeyPepper(config);
  const apiKeys = createApiKeysModule({ database, logger, secrets, fallbackPepper });
  const folder = await openProcessFolder(join(config.dataDir, "dumps"));
  const modules = createModules(config, engines, { audit, apiKeys }, await linkKeysOf(latest), {
    logger,
    folder,
  });
  const { runtime, operations, models } = modules;
  const { trail } = audit;
  const schema = await buildGraph(modules.resolvers, { trail, traced: config.otlpEndpoint !== undefined });
  const health = createHealth(config, engines, modules);
  const tls = await readTls(config, logger);
  const door =
    serves === "health"
      ? createHealthDoor(health, tls)
      : await createGraphDoor(latest, engines, { ...modules, audit, apiKeys }, { schema, health, tls });
  audit.start();
  await apiKeys.credentials.start();
  await operations.feed.start();
  await models.served.start();
  const stopMetrics = collectGauges(
    {
      ...{ health, queue, runtime, ...modules.upkeep, apiKeys: apiKeys.apiKeys },
      ...{ sealer: audit.sealer, feed: operations.feed },
      gpus: config.inference.providers.some((provider) => provider !== "cpu"),
    },
    METRICS_EVERY_MS,
  );
  return {
    ...engines,
    ...modules,
    ...{ config, logger, audit, apiKeys, schema, door, health },
    close: () =>
      closeInOrder(stepsToClose({ ...modules, engines, audit, apiKeys, door, tracing, stopMetrics }), logger),
  };
}

/** Who gives work goes before who does it, the engines last. */
function stepsToClose(parts: ClosingParts) {
  const { engines, operations, predictions, models, embeddings, runtime, audit, apiKeys, door } = parts;
  return {
    metrics: parts.stopMetrics,
    door: () => door.close(0),
    subscriptions: () => operations.feed.close(),
    "the prediction log": () => predictions.log.close(),
    "API keys": () => apiKeys.credentials.close(),
    "the audit log": () => audit.close(),
    "served versions": () => models.served.close(),
    "the job queue": () => engines.queue.close(),
    embeddings: () => embeddings.embeddings.close(),
    inference: () => runtime.close(),
    "the object store": () => engines.store.close(),
    "the mirror": () => engines.mirror?.store.close(),
    "the caches": () => engines.caches.close(),
    "the ledger of points": () => engines.ledger.close(),
    "the process lock": () => engines.lock?.close(),
    "the database": () => engines.database.close(),
    traces: () => parts.tracing.close(),
  };
}

interface ClosingParts extends Pick<
  ReturnType<typeof createModules>,
  "operations" | "predictions" | "models" | "embeddings" | "runtime"
> {
  engines: Engines;
  audit: AuditModule;
  apiKeys: ApiKeysModule;
  door: Door;
  tracing: Tracing;
  stopMetrics: () => void;
}

/** The engines, with a database that lets no mutation commit without its audit entry. */
async function openAudited(
  latest: LatestConfig,
  logger: Logger,
): Promise<{ engines: Engines; audit: AuditModule }> {
  const config = latest();
  const engines = await openEngines(latest, { entities, migrations }, logger);
  await assertSchemaIsKnown(engines.database);
  const { queries, headMs } = config.audit;
  const keepDays = config.retention.auditDays;
  const secrets = () => readAuditSecrets(latest());
  const audit = createAuditModule({ ...engines, logger, queries, headMs, keepDays, secrets });
  const database = new AuditedDatabase(engines.database, audit.sealer.wake);
  return { engines: { ...engines, database }, audit };
}

interface DoorModules {
  models: ModelsModule;
  operations: OperationsModule;
  audit: AuditModule;
  apiKeys: ApiKeysModule;
}

async function readTls({ http }: Config, logger: Logger): Promise<TlsServer | undefined> {
  return (
    http.tls &&
    TlsServer.read(http.tls, (err) =>
      logger.warn(
        { event: "tls.not_reloaded", err },
        "the changed TLS files cannot be used; the ones before stay",
      ),
    )
  );
}

function createGraphDoor(
  latest: LatestConfig,
  { database, ledger }: Engines,
  { models, operations, audit, apiKeys }: DoorModules,
  served: { schema: GraphQLSchema; health: HealthState; tls?: TlsServer },
): Promise<Door> {
  const { auth, http, limits, explorer } = latest();
  return createGateway({
    ...served,
    ...{ database, ledger, models, limits, explorer },
    trail: audit.trail,
    authenticator: new Authenticator(auth, () => identitySecrets(latest()), apiKeys.credentials),
    feed: operations.feed,
    policy: http,
    publicUrl: http.publicUrl,
    maxBodyBytes: http.maxBodyBytes,
    certificateRoles: http.certificateRoles,
    trustedDocuments: http.trustedDocuments,
  });
}

function createHealth(
  config: Config,
  { database, queue, store }: Engines,
  { samples, models }: { samples: SampleLoader; models: ModelsModule },
): HealthState {
  const health = new HealthState();
  health.addCheck("database", () => database.check());
  health.addCheck("migrations", () => assertMigrated(database));
  health.addCheck("queue", () => queue.check());
  health.addCheck("objects", () => store.check());
  health.addFact("tier", () => (config.database.dsn === undefined ? "embedded" : "service"));
  health.addFact("samples", () => samples.state);
  health.addFact("models", () => models.warmup.state);
  return health;
}

/** Every module over the engines, and the resolvers that make the graph. */
function createModules(
  config: Config,
  engines: Engines,
  { audit, apiKeys }: { audit: AuditModule; apiKeys: ApiKeysModule },
  linkKeys: LinkKeys,
  { logger, folder }: { logger: Logger; folder: string },
) {
  const { database, queue, store, caches } = engines;
  const { inference, embedding, artifactMaxBytes: maxArtifactBytes } = config;
  const runtime = createRuntime(inference, (key) => models.served.modelOf(key));
  const operations = createOperationsModule(database, queue, logger, config.jobLeaseMs);
  const partitions = new PartitionService(database, largeTables(config), logger);
  const curves = createCurvesModule(database);
  const models = createModelsModule({
    ...{ database, store, runtime, operations, curves, maxArtifactBytes, logger },
    ...{ trail: audit.trail, linkKeys },
  });
  const textLimits = { texts: embedding.maxTexts, characters: embedding.maxCharacters };
  const vectors = { cache: caches.vectors, seconds: config.cache.ttlSeconds };
  const answers = { cache: caches.answers, seconds: config.cache.ttlSeconds };
  const embeddings = createEmbeddingsModule({ runtime, models, limits: textLimits, vectors });
  const training = createTrainingModule(database, operations, models, curves, config.trainingSegmentMs);
  const tensorLimits = { elements: inference.maxElements, rows: inference.maxRows };
  const logValueBytes = config.predictionLogValueBytes;
  const predictions = createPredictionsModule({
    ...{ database, runtime, models, curves, answers, logger, tensorLimits, logValueBytes },
  });
  const search = createSearchModule({
    ...{ database, operations, models, embeddings, training, answers, logger },
    reindexPartDocuments: config.reindexPartDocuments,
  });
  const samples = new SampleLoader({
    ...{ operations, curves, models, training, search, logger },
    folder: SAMPLES_FOLDER,
  });
  const upkeep = createUpkeepModule({
    ...engines,
    ...{ operations, models, search },
    folder,
    backupDays: config.retention.backupDays,
    backupRecipients: config.backupRecipients,
    restoreTestsPossible: config.database.dsn === undefined || config.restoreTestDsn !== undefined,
  });
  const modules = { operations, models, embeddings, training, predictions, search, upkeep };
  const resolvers = resolversOf([...Object.values(modules), curves, audit, apiKeys]);
  return { ...modules, runtime, partitions, samples, resolvers };
}

function resolversOf(modules: readonly { resolvers: object[]; nodeSources: NodeSource[] }[]): object[] {
  return [
    new IdentityResolver(),
    new NodeResolver(modules.flatMap(({ nodeSources }) => nodeSources)),
    ...modules.flatMap((module) => module.resolvers),
  ];
}

/** Tables that grow without end, and how long their rows are kept. */
function largeTables({ retention }: Config) {
  return [
    snapshotPartitions,
    predictionPartitions(retention.predictionLogDays),
    outboxPartitions(retention.eventDays),
    ...auditPartitions(retention.auditDays),
  ];
}

function createRuntime(settings: InferenceConfig, modelOf: (key: string) => string): InferenceRuntime {
  const { providers } = settings;
  return createOnnxInferenceRuntime({
    workers: settings.workers,
    providers,
    cacheBytes: settings.cacheBytes,
    queueLimit: settings.queueLimit,
    maxBatch: settings.maxBatchRows,
    validation: { timeoutMs: settings.validationTimeoutMs, memoryBytes: settings.validationMemoryBytes },
    onRun: (run) => reportInference(run, modelOf(run.key)),
    onProvider: (provider) => reportInferenceProvider(provider, providers),
  });
}
