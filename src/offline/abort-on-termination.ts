const UNDO_WITHIN_MS = 10_000;

/** Aborted by SIGTERM: what is half done is to be undone, until the process ends in some seconds whatever it does. */
export function abortOnTermination(): AbortSignal {
  const ended = new AbortController();
  process.once("SIGTERM", () => {
    ended.abort(new Error("ended by SIGTERM"));
    setTimeout(() => process.exit(143), UNDO_WITHIN_MS).unref();
  });
  return ended.signal;
}
