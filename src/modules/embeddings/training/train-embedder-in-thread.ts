import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { InvalidInputError, PreconditionFailedError } from "../../../shared/errors.js";
import type { EmbedderTrainingOptions, ReportProgress, TrainedEmbedder } from "./embedder-training.types.js";
import { TrainingSample } from "./training-sample.js";
import type { SampledPassage } from "./training-sample.js";

export type { EmbedderTrainingOptions, ReportProgress, TrainedEmbedder } from "./embedder-training.types.js";

/** What the thread is told: passages, then the word to begin. */
export type TrainingRequest = { kind: "passages"; passages: SampledPassage[] } | { kind: "train" };
/** What it says. */
export type TrainingReply =
  | { kind: "read" }
  | { kind: "progress"; fraction: number; message: string }
  | { kind: "trained"; trained: TrainedEmbedder }
  | { kind: "refused"; message: string };

export interface TrainInThreadOptions {
  /** Ends the thread, whatever it is doing; the promise rejects with the signal's reason. */
  signal?: AbortSignal;
  onProgress?: ReportProgress;
}

export const DIMENSIONS = { fewest: 8, most: 1_024 };
/** Passages that are learned from at most; of more a sample is drawn. */
export const MOST_PASSAGES = 50_000;
const HEAP_MEGABYTES = 1_024;
/** Characters that are sent at a time; the next are read while the thread works on them. */
const BATCH_LENGTH = 500_000;
/** Part of the work that reading is, and how many passages make half of it. */
const READING = { share: 0.3, half: 5_000 };
const threadFile = new URL("./train-embedder.thread.js", import.meta.url);

/**
 * Learns a text embedder from texts, in a thread of its own. Memory is bounded, however many texts there are.
 * @throws {InvalidInputError} for options out of range
 * @throws {PreconditionFailedError} where the texts carry too little
 */
export async function trainEmbedderInThread(
  texts: AsyncIterable<string> | Iterable<string>,
  options: EmbedderTrainingOptions,
  { signal, onProgress = () => undefined }: TrainInThreadOptions = {},
): Promise<TrainedEmbedder> {
  signal?.throwIfAborted();
  checkOptions(options);
  const thread = new TrainingThread(options, signal);
  try {
    const sample = new TrainingSample(MOST_PASSAGES, options.seed);
    await sendPassages(texts, sample, thread, onProgress);
    const trained = await thread.train((fraction, message) =>
      onProgress(READING.share + (1 - READING.share) * fraction, message),
    );
    trained.parameters.push(
      { name: "passages", value: String(sample.seen) },
      { name: "passages_sampled", value: String(Math.min(sample.seen, MOST_PASSAGES)) },
    );
    return trained;
  } finally {
    await thread.end();
  }
}

function checkOptions({ dimensions, seed }: EmbedderTrainingOptions): void {
  if (!Number.isInteger(dimensions) || dimensions < DIMENSIONS.fewest || dimensions > DIMENSIONS.most)
    throw InvalidInputError.at(
      "dimensions",
      `must be a whole number from ${DIMENSIONS.fewest} to ${DIMENSIONS.most}`,
    );
  if (!Number.isSafeInteger(seed)) throw InvalidInputError.at("seed", "must be a whole number");
}

async function sendPassages(
  texts: AsyncIterable<string> | Iterable<string>,
  sample: TrainingSample,
  thread: TrainingThread,
  onProgress: ReportProgress,
): Promise<void> {
  let batch: SampledPassage[] = [];
  let length = 0;
  const send = async () => {
    await thread.send(batch);
    const done = sample.seen / (sample.seen + READING.half);
    onProgress(READING.share * done, `Read ${sample.seen} passages`);
    [batch, length] = [[], 0];
  };
  for await (const text of texts) {
    for (const passage of sample.draw(text)) {
      batch.push(passage);
      length += passage.text.length;
    }
    if (length >= BATCH_LENGTH) await send();
  }
  await send();
}

/** One training: passages go in while the thread keeps up, then one answer comes out. */
class TrainingThread {
  private readonly worker: Worker;
  /** Rejects when the thread fails, ends or is told to stop. */
  private readonly failure: Promise<never>;
  private readonly stop = new AbortController();

  constructor(options: EmbedderTrainingOptions, signal: AbortSignal | undefined) {
    this.worker = new Worker(threadFile, {
      workerData: options,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MEGABYTES },
    });
    this.failure = new Promise<never>((_, reject) => {
      const listening = { once: true, signal: this.stop.signal };
      signal?.addEventListener("abort", () => reject(signal.reason), listening);
      this.worker.once("error", (cause: Error) =>
        reject(new Error(`The training thread failed: ${cause.message}`, { cause })),
      );
      this.worker.once("exit", (code) =>
        reject(new Error(`The training thread ended with code ${code} before it was done`)),
      );
    });
    // It may fail while nobody waits; the next wait says so.
    this.failure.catch(() => undefined);
  }

  async send(passages: SampledPassage[]): Promise<void> {
    const request: TrainingRequest = { kind: "passages", passages };
    const answered = once(this.worker, "message", { signal: this.stop.signal });
    answered.catch(() => undefined);
    this.worker.postMessage(request);
    await Promise.race([answered, this.failure]);
  }

  async train(onProgress: ReportProgress): Promise<TrainedEmbedder> {
    const trained = new Promise<TrainedEmbedder>((resolve, reject) => {
      this.worker.on("message", (reply: TrainingReply) => {
        if (reply.kind === "trained") resolve(reply.trained);
        else if (reply.kind === "refused") reject(new PreconditionFailedError(reply.message));
        else if (reply.kind === "progress") onProgress(reply.fraction, reply.message);
      });
    });
    const request: TrainingRequest = { kind: "train" };
    this.worker.postMessage(request);
    return Promise.race([trained, this.failure]);
  }

  async end(): Promise<void> {
    this.stop.abort();
    await this.worker.terminate();
  }
}
