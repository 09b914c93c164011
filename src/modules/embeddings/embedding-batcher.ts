import { setTimeout as delay } from "node:timers/promises";
import type { EncodedBatch, InferenceRuntime, ModelSource } from "../../ports/inference-runtime.js";
import type { EmbedderOptions } from "../../shared/embedder-options.js";
import { InvalidInputError, OverloadedError, PreconditionFailedError } from "../../shared/errors.js";
import { reportEmbeddingBatch } from "../../telemetry/events.js";
import { encoderInputs } from "./encoder-inputs.rules.js";
import type { Encoder } from "./encoder-signature.rules.js";
import { WaitingTexts } from "./text-batches.rules.js";
import type { WaitingText } from "./text-batches.rules.js";

export type Priority = "interactive" | "bulk";

/** An encoder as batches of it are run. */
export interface BatchedEncoder {
  /** Of the version. */
  key: string;
  source: ModelSource;
  encoder: Encoder;
  options: EmbedderOptions;
  /** Texts may share a run: no row depends on the others, and padding is masked. */
  mayBatch: boolean;
  /** First guess, before runs have been measured. */
  msPerToken: number;
}

/** A text in line for its vector. */
export interface QueuedText extends WaitingText {
  ids: Int32Array;
  paddingId: number;
  resolve(vector: Float32Array): void;
  reject(error: unknown): void;
}

interface Line {
  encoder: BatchedEncoder;
  waiting: WaitingTexts<QueuedText>;
}

/** A run that waits, or one behind it, may take about this long: what queries and cancellations wait for. */
const TARGET_MS = { interactive: 30, bulk: 80 };
/** What a run may hold at most, however fast it is: it bounds memory. */
const MOST_TOKENS = 16_384;
const MOST_TEXTS = 256;
/** Weight of the newest run in the running mean of the time for each token. */
const NEWEST = 0.3;
const OVERLOAD_PAUSE_MS = 100;

/** Forms batches of the texts that wait, and keeps all inference threads busy with a few of them. */
export class EmbeddingBatcher {
  private readonly lines = { interactive: new Map<string, Line>(), bulk: new Map<string, Line>() };
  private readonly running = { interactive: 0, bulk: 0 };
  /** Measured; short queries cost more for each token than long passages. */
  private readonly msPerToken = {
    interactive: new WeakMap<BatchedEncoder, number>(),
    bulk: new WeakMap<BatchedEncoder, number>(),
  };
  private scheduled = false;

  constructor(private readonly runtime: InferenceRuntime) {}

  add(encoder: BatchedEncoder, texts: readonly QueuedText[], priority: Priority): void {
    const lines = this.lines[priority];
    let line = lines.get(encoder.key);
    if (!line) lines.set(encoder.key, (line = { encoder, waiting: new WaitingTexts() }));
    line.waiting.add(texts);
    if (this.scheduled) return;
    // Calls of the same turn of the event loop share batches.
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      this.startRuns("interactive");
      this.startRuns("bulk");
    });
  }

  /** One run for each thread, and one that the first of them to end finds ready. */
  private startRuns(priority: Priority): void {
    while (this.running[priority] <= this.runtime.stats().workers) {
      const next = this.nextBatch(priority);
      if (!next) return;
      this.running[priority]++;
      void this.run(next.encoder, next.batch, priority).finally(() => {
        this.running[priority]--;
        this.startRuns(priority);
      });
    }
  }

  /** Encoders take turns. */
  private nextBatch(priority: Priority): { encoder: BatchedEncoder; batch: QueuedText[] } | undefined {
    const lines = this.lines[priority];
    for (const [key, line] of lines) {
      lines.delete(key);
      const batch = line.waiting.take(this.limits(line.encoder, priority));
      if (!line.waiting.isEmpty) lines.set(key, line);
      if (batch.length > 0) return { encoder: line.encoder, batch };
    }
    return undefined;
  }

  private limits(encoder: BatchedEncoder, priority: Priority): { tokens: number; texts: number } {
    const msPerToken = this.msPerToken[priority].get(encoder) ?? encoder.msPerToken;
    return {
      tokens: Math.min(MOST_TOKENS, TARGET_MS[priority] / msPerToken),
      texts: encoder.mayBatch ? MOST_TEXTS : 1,
    };
  }

  private async run(
    encoder: BatchedEncoder,
    batch: readonly QueuedText[],
    priority: Priority,
  ): Promise<void> {
    try {
      const { vectors, seconds } = await this.encode(encoder, batch, priority);
      const padded = batch.length * batch[0]!.length;
      this.learn(encoder, priority, (seconds * 1000) / Math.max(1, padded));
      reportEmbeddingBatch({ priority, paddedTokens: padded });
      const { dimensions } = encoder.options;
      for (const [i, text] of batch.entries()) {
        answer(text, vectors.slice(i * dimensions, (i + 1) * dimensions));
      }
    } catch (error) {
      if (batch.length > 1 && error instanceof InvalidInputError) {
        // One that the graph refuses must not fail the others.
        for (const text of batch) await this.run(encoder, [text], priority);
      } else for (const { reject } of batch) reject(error);
    }
  }

  private async encode(
    { source, encoder, options }: BatchedEncoder,
    batch: readonly QueuedText[],
    priority: Priority,
  ): Promise<EncodedBatch> {
    const ids = batch.map((text) => text.ids);
    const inputs = encoderInputs(encoder.inputs, ids, batch[0]!.paddingId);
    const { pooling, dimensions, normalize } = options;
    const lengths = ids.map(({ length }) => length);
    const step = { output: encoder.output.name, pooling, lengths, dimensions, normalize };
    for (;;) {
      try {
        return await this.runtime.encode(source, { inputs, pooling: step, priority });
      } catch (error) {
        if (priority === "interactive" || !(error instanceof OverloadedError)) throw error;
        // Others fill the queue; bulk work has time.
        await delay(OVERLOAD_PAUSE_MS);
      }
    }
  }

  private learn(encoder: BatchedEncoder, priority: Priority, measured: number): void {
    const before = this.msPerToken[priority].get(encoder);
    this.msPerToken[priority].set(
      encoder,
      before === undefined ? measured : before + NEWEST * (measured - before),
    );
  }
}

function answer(text: QueuedText, vector: Float32Array): void {
  if (vector.every(Number.isFinite)) text.resolve(vector);
  else {
    text.reject(new PreconditionFailedError("the embedder answered with numbers that are not finite"));
  }
}
