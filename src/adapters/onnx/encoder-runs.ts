import type { EncodedBatch, EncoderRun } from "../../ports/inference-runtime.js";
import { poolVectors } from "../../shared/pool-vectors.js";
import { countElements, expectedMs } from "./graph-trial.js";
import type { EncodeResult } from "./inference-protocol.js";
import type { BatcherSettings } from "./micro-batcher.js";
import type { CachedModel } from "./model-cache.js";
import { compactViews } from "./tensor-transfer.js";
import type { WorkerPool } from "./worker-pool.js";

/** Runs batches of encoders as they come: whoever sends them has formed them. */
export class EncoderRuns {
  private waitingRuns = 0;

  constructor(
    private readonly pool: WorkerPool,
    private readonly settings: Omit<BatcherSettings, "maxBatch">,
  ) {}

  /** Runs that no thread has taken yet. */
  get waiting(): number {
    return this.waitingRuns;
  }

  async run(model: CachedModel, run: EncoderRun): Promise<EncodedBatch> {
    const inline = this.runsInline(model, run);
    const batch = await (inline ? runHere(model, run) : this.runInThread(model, run));
    const batchRows = run.pooling.lengths.length;
    const placement = inline ? "inline" : "worker";
    this.settings.onRun({ key: model.source.key, batchRows, calls: 1, seconds: batch.seconds, placement });
    return batch;
  }

  private runsInline({ inline, cost }: CachedModel, { inputs, priority }: EncoderRun): boolean {
    if (!inline || !cost || priority === "bulk") return false;
    return expectedMs(cost, countElements(inputs)) <= this.settings.inlineBudgetMs;
  }

  private runInThread({ source }: CachedModel, run: EncoderRun): Promise<EncodedBatch> {
    const { key, path } = source;
    const { pooling, priority } = run;
    this.waitingRuns++;
    return new Promise((resolve, reject) => {
      let started = false;
      const leave = () => {
        if (!started) this.waitingRuns--;
        started = true;
      };
      this.pool.submit({
        priority,
        model: key,
        timeoutMs: this.settings.runTimeoutMs,
        start: () => {
          leave();
          const inputs = compactViews(run.inputs);
          const isBulk = priority === "bulk";
          return { request: { kind: "encode", model: { key, path }, inputs, pooling, isBulk }, transfer: [] };
        },
        resolve: (value) => resolve(value as EncodeResult),
        reject: (error) => {
          leave();
          reject(error);
        },
      });
    });
  }
}

async function runHere({ inline }: CachedModel, { inputs, pooling }: EncoderRun): Promise<EncodedBatch> {
  const start = performance.now();
  const outputs = await inline!.run(inputs, [pooling.output]);
  const vectors = poolVectors(outputs[pooling.output]!, pooling);
  return { vectors, seconds: (performance.now() - start) / 1000 };
}
