import { Worker } from "node:worker_threads";
import type { SegmentForecasts } from "./backtest-segments.rules.js";
import type { CurveHistory, TrainedForecaster, TrainingSpec } from "./forecaster.types.js";
import { checkTrainingSpec } from "./training-spec.rules.js";

/** What a thread is asked for: a forecaster, or a part of its backtest. */
export interface TrainingWork {
  history: CurveHistory;
  spec: TrainingSpec;
  /** The segments of the backtest, where they have been computed before. */
  recorded?: readonly SegmentForecasts[];
  /** Computes this segment instead of training. */
  part?: { segment: number; of: number };
}

/** What the thread says to the one who started it. */
export type TrainingMessage =
  { kind: "progress"; fraction: number; message: string } | { kind: "done"; result: unknown };

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
export function trainInThread(
  history: CurveHistory,
  spec: TrainingSpec,
  { recorded, ...options }: TrainInThreadOptions & Pick<TrainingWork, "recorded"> = {},
): Promise<TrainedForecaster> {
  return workInThread<TrainedForecaster>({ history, spec, recorded }, options);
}

/**
 * `forecastSegment` in a thread of its own.
 * @throws {InvalidInputError} when the spec does not fit the history, before a thread is started
 */
export function forecastSegmentInThread(
  history: CurveHistory,
  spec: TrainingSpec,
  part: { segment: number; of: number },
  options: TrainInThreadOptions,
): Promise<SegmentForecasts> {
  return workInThread<SegmentForecasts>({ history, spec, part }, options);
}

async function workInThread<Result>(
  work: TrainingWork,
  { onProgress = () => undefined, signal }: TrainInThreadOptions,
): Promise<Result> {
  signal?.throwIfAborted();
  checkTrainingSpec(work.spec, work.history);
  const thread = new Worker(threadFile, {
    workerData: work,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MEGABYTES },
  });
  const { promise, resolve, reject } = promiseWithResolvers<Result>();
  const abort = () => reject(signal?.reason);
  signal?.addEventListener("abort", abort, { once: true });
  thread.on("message", (message: TrainingMessage) => {
    if (message.kind === "done") resolve(message.result as Result);
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
