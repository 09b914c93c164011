import { setTimeout as delay } from "node:timers/promises";
import type { App } from "./app.js";

export interface Stopping {
  /** Aborted with the first signal. */
  signal: AbortSignal;
  /** Jobs to end or to hand back while the door is still open. */
  drain(work: (graceMs: number) => Promise<void>): void;
}

/** For what comes after the drain: the last writes, and engines that may be gone. */
const CLOSE_MS = 20_000;
/** What was aborted at the end of the grace winds down. */
const WIND_DOWN_MS = 5_000;

/** Ends the process in order at the first SIGTERM or SIGINT, and at once at the second. */
export function stopOnSignals(app: App): Stopping {
  const { logger, config } = app;
  const ending = new AbortController();
  const work: ((graceMs: number) => Promise<void>)[] = [];
  const stop = (signal: string): void => {
    if (ending.signal.aborted) process.exit(1);
    ending.abort();
    app.health.enter("draining");
    logger.info({ event: "platform.stopping", signal }, "draining");
    setTimeout(
      () => {
        logger.error({ event: "platform.stop_late" }, "the platform did not stop in time and is ended");
        process.exit(1);
      },
      config.drainNoticeMs + config.drainMs + WIND_DOWN_MS + CLOSE_MS,
    );
    drain(app, work).then(
      (inOrder) => process.exit(inOrder ? 0 : 1),
      (err: unknown) => {
        logger.error({ event: "platform.stop_failed", err }, "the platform did not stop cleanly");
        process.exit(1);
      },
    );
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => stop(signal));
  return { signal: ending.signal, drain: (drain) => void work.push(drain) };
}

/**
 * Whoever asks is told "not ready" for a while before the door closes; meanwhile jobs end or are handed back.
 * @returns whether everything ended in order
 */
async function drain(app: App, work: readonly ((graceMs: number) => Promise<void>)[]): Promise<boolean> {
  const { drainNoticeMs, drainMs } = app.config;
  const deadline = performance.now() + drainNoticeMs + drainMs;
  const jobs = Promise.all(work.map((end) => end(drainMs))).then(() => true);
  // An engine that is gone takes nothing back; the jobs' rows say what is to be done again.
  const drained = Promise.race([jobs, delay(drainMs + WIND_DOWN_MS, false)]);
  const [inOrder] = await Promise.all([drained, delay(drainNoticeMs)]);
  if (!inOrder) app.logger.warn({ event: "jobs.not_handed_back" }, "jobs could not be handed back in time");
  await app.door.close(Math.max(0, deadline - performance.now()));
  return (await app.close()) && inOrder;
}
