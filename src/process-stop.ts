import type { App } from "./app.js";

export interface Stopping {
  /** Aborted with the first signal. */
  signal: AbortSignal;
  /** Work to end before the engines close; registered when it has begun. */
  drain(work: (graceMs: number) => Promise<void>): void;
}

/** Ends the process in order at the first SIGTERM or SIGINT, and at once at the second. */
export function stopOnSignals(app: App): Stopping {
  const ending = new AbortController();
  const work: ((graceMs: number) => Promise<void>)[] = [];
  const stop = (signal: string): void => {
    if (ending.signal.aborted) process.exit(1);
    ending.abort();
    app.logger.info({ event: "platform.stopping", signal }, "draining");
    app.setReady(false);
    Promise.all(work.map((drain) => drain(app.config.drainMs)))
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
  return { signal: ending.signal, drain: (drain) => void work.push(drain) };
}
