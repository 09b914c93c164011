import "reflect-metadata";
import type { App } from "./app.js";
import { ConfigurationError } from "./config/config.js";
import { readEnvironment } from "./config/env.js";
import { LiveConfig } from "./live-config.js";
import type { LatestConfig } from "./live-config.js";
import { assertRatesFit, queuesOf, readProcessRole } from "./process-role.js";
import type { ProcessKind } from "./process-role.js";
import { stopOnSignals } from "./process-stop.js";
import type { Stopping } from "./process-stop.js";
import { PlatformError } from "./shared/errors.js";
import { describeError } from "./telemetry/serialize-error.js";

/** Starts the platform, or its part that the command line names, and keeps it until a signal comes. */
async function main(): Promise<void> {
  const role = readProcessRole(process.argv.slice(2));
  const live = new LiveConfig(readEnvironment(), { apart: role.kind !== "platform" });
  if (role.kind === "migrate") return migrateDatabase(live.latest);
  const config = live.latest();
  const { createApp } = await import("./app.js");
  const { queueNames } = await import("../workers/job-catalogue.js");
  const queues = queuesOf(role, queueNames);
  assertRatesFit(config.queueRates, queueNames);
  const { latest } = live;
  const app = await createApp(config, { latest, serves: role.kind === "worker" ? "health" : "graph" });
  live.follow(app.logger);
  app.health.addFact("role", () => role.kind);
  const address = await app.door.listen(config.http.host, config.http.port);
  const stopping = stopOnSignals(app);
  try {
    await Promise.all([
      role.kind === "gateway" ? undefined : work(app, queues, stopping),
      role.kind === "worker" ? undefined : warm(app),
    ]);
  } catch (error) {
    // A signal has closed what was being opened.
    if (stopping.signal.aborted) return;
    throw error;
  }
  app.health.enter("ready");
  announce(app, role.kind, address);
  if (role.kind !== "worker" && config.samples) void app.samples.load(stopping.signal);
}

async function migrateDatabase(latest: LatestConfig): Promise<void> {
  const { migrate } = await import("./migrate.js");
  await migrate(latest);
}

async function work(app: App, queues: readonly string[], stopping: Stopping): Promise<void> {
  const { startWorkers } = await import("../workers/start-workers.js");
  const workers = await startWorkers(app, queues);
  stopping.drain((graceMs) => workers.close(graceMs));
  app.health.addCheck("workers", () => workers.check());
  app.health.addFact("queues", () => queues);
  app.search.discardedIndexes.sweepSoon();
  // Nobody else works on embedded data: what a killed process has left is queued again without waiting for a silence.
  // What the transport still holds for that process it delivers once its lease has run out.
  await app.operations.jobs.sweep(app.config.database.dsn === undefined ? 0 : undefined);
}

function warm({ models, config }: App): Promise<void> {
  return models.warmup.run({ bytes: config.inference.cacheBytes, ms: config.startTimeoutMs });
}

function announce(
  { logger, config }: App,
  role: ProcessKind,
  { url, port }: { url: string; port: number },
): void {
  const about = { event: "platform.ready", url, port, pid: process.pid, role };
  logger.info(about, `ready at ${url}/${role === "worker" ? "health" : "graphql"}`);
  if (role === "worker") return;
  if (config.explorer) logger.info({ event: "platform.explorer", url }, `explorer at ${url}/graphiql`);
  const { jwtSecret, provider, developerAccess } = config.auth;
  if (jwtSecret === undefined && provider === undefined && !developerAccess) {
    logger.warn(
      { event: "platform.locked" },
      "without ML_JWT_SECRET_KEY or ML_JWT_JWKS_URL no token is accepted",
    );
  }
}

try {
  await main();
} catch (error) {
  // The system's own refusals (no space, no such address) say what they refuse.
  const refused = (error as NodeJS.ErrnoException).syscall !== undefined;
  const explained = error instanceof ConfigurationError || error instanceof PlatformError || refused;
  process.stderr.write(`${explained ? (error as Error).message : describeError(error)}\n`);
  process.exit(1);
}
