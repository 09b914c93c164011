import { Worker } from "node:worker_threads";
import type { CurveHistory, TrainedForecaster, TrainingSpec } from "./forecaster.types.js";
import { checkTrainingSpec } from "./training-spec.rules.js";

/** What the thread says to the one who started it. */
export type TrainingMessage =
  { kind: "progress"; fraction: number; message: string } | { kind: "trained"; trained: TrainedForecaster };

export interface TrainInThreadOptions {
  onProgress?: (fraction: number, message: string) => void;
  /** Ends the thread, whatever it is doing; the promise rejects with the signal's reason. */
  signal?: AbortSignal;
}

const HEAP_MEGABYTES = 768;
const threadFile = new URL("./train-forecaster.thread.js", import.meta.url);

/**
 * `trainForecaster` in a thread of its own, so that the caller's keeps answering requests.
 * @throws {InvalidInputError} when the spec does not fit the history, before a thread is started
 */
export async function trainInThread(
  history: CurveHistory,
  spec: TrainingSpec,
  { onProgress = () => undefined, signal }: TrainInThreadOptions = {},
): Promise<TrainedForecaster> {
  signal?.throwIfAborted();
  checkTrainingSpec(spec, history);
  const thread = new Worker(threadFile, {
    workerData: { history, spec },
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MEGABYTES },
  });
  const { promise, resolve, reject } = promiseWithResolvers<TrainedForecaster>();
  const abort = () => reject(signal?.reason);
  signal?.addEventListener("abort", abort, { once: true });
  thread.on("message", (message: TrainingMessage) => {
    if (message.kind === "trained") resolve(message.trained);
    else onProgress(message.fraction, message.message);
  });
  thread.on("error", (cause) => reject(new Error(`The training thread failed: ${cause.message}`, { cause })));
  thread.on("exit", (code) =>
    reject(new Error(`The training thread ended with code ${code} before it was done`)),
  );
  try {
    return await promise;
  } finally {
    signal?.removeEventListener("abort", abort);
    await thread.terminate();
  }
}

function promiseWithResolvers<T>() {
  let resolve!: (value: T) => void;
  let reject!: (reason: unknown) => void;
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}
