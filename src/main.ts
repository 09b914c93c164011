import "reflect-metadata";
import { ConfigurationError, loadConfig } from "./config/config.js";
import { readEnvironment } from "./config/env.js";
import { PlatformError } from "./shared/errors.js";

const DRAIN_GRACE_MS = 5_000;

/** Starts the platform in this process and keeps it until a signal comes. */
async function main(): Promise<void> {
  const config = loadConfig(readEnvironment());
  const { createApp } = await import("./app.js");
  const { startWorkers } = await import("../workers/start-workers.js");
  const app = await createApp(config);
  const { url, port } = await app.gateway.listen(config.http.host, config.http.port);
  const workers = await startWorkers(app);
  const ending = new AbortController();
  const stop = (signal: string): void => {
    if (ending.signal.aborted) process.exit(1);
    ending.abort();
    app.logger.info({ event: "platform.stopping", signal }, "draining");
    app.setReady(false);
    workers
      .close(DRAIN_GRACE_MS)
      .then(() => app.close())
      .then(
        () => process.exit(0),
        (err: unknown) => {
          app.logger.error({ event: "platform.stop_failed", err }, "the platform did not stop cleanly");
          process.exit(1);
        },
      );
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => stop(signal));
  // Nobody else works on this data folder: what a killed process has left is queued again without waiting for a
  // silence. What the transport still holds for that process it delivers once its lease has run out.
  app.search.discardedIndexes.sweepSoon();
  await app.operations.jobs.sweep(config.database.dsn === undefined ? 0 : undefined);
  app.setReady(true);
  app.logger.info({ event: "platform.ready", url, port, pid: process.pid }, `ready at ${url}/graphql`);
  if (config.explorer) app.logger.info({ event: "platform.explorer", url }, `explorer at ${url}/graphiql`);
  if (config.auth.jwtSecret === undefined && !config.auth.developerAccess) {
    app.logger.warn({ event: "platform.locked" }, "without ML_JWT_SECRET_KEY every call is UNAUTHENTICATED");
  }
  if (config.samples) void app.samples.load(ending.signal);
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
