import "reflect-metadata";
import { ConfigurationError, loadConfig } from "./config/config.js";
import { readEnvironment } from "./config/env.js";
import { queuesOf, readProcessRole } from "./process-role.js";
import { stopOnSignals } from "./process-stop.js";
import { PlatformError } from "./shared/errors.js";

/** Starts the platform, or its part that the command line names, and keeps it until a signal comes. */
async function main(): Promise<void> {
  const role = readProcessRole(process.argv.slice(2));
  const config = loadConfig(readEnvironment(), { apart: role.kind !== "platform" });
  const { createApp } = await import("./app.js");
  const { queueNames } = await import("../workers/job-catalogue.js");
  const { startWorkers } = await import("../workers/start-workers.js");
  const queues = queuesOf(role, queueNames);
  const app = await createApp(config, { serves: role.kind === "worker" ? "health" : "graph" });
  const { url, port } = await app.door.listen(config.http.host, config.http.port);
  const stopping = stopOnSignals(app);
  if (role.kind !== "gateway") {
    const workers = await startWorkers(app, queues);
    stopping.drain((graceMs) => workers.close(graceMs));
    // Nobody else works on this data folder: what a killed process has left is queued again without waiting for a
    // silence. What the transport still holds for that process it delivers once its lease has run out.
    app.search.discardedIndexes.sweepSoon();
    await app.operations.jobs.sweep(config.database.dsn === undefined ? 0 : undefined);
  }
  app.setReady(true);
  const about = { url, port, pid: process.pid, role: role.kind, queues };
  const address = role.kind === "worker" ? `${url}/health` : `${url}/graphql`;
  app.logger.info({ event: "platform.ready", ...about }, `ready at ${address}`);
  if (role.kind === "worker") return;
  if (config.explorer) app.logger.info({ event: "platform.explorer", url }, `explorer at ${url}/graphiql`);
  if (config.auth.jwtSecret === undefined && !config.auth.developerAccess) {
    app.logger.warn({ event: "platform.locked" }, "without ML_JWT_SECRET_KEY every call is UNAUTHENTICATED");
  }
  if (config.samples) void app.samples.load(stopping.signal);
}

try {
  await main();
} catch (error) {
  // The system's own refusals (no space, no such address) say what they refuse.
  const refused = (error as NodeJS.ErrnoException).syscall !== undefined;
  const explained = error instanceof ConfigurationError || error instanceof PlatformError || refused;
  process.stderr.write(
    `${explained ? (error as Error).message : ((error as Error).stack ?? String(error))}\n`,
  );
  process.exit(1);
}
