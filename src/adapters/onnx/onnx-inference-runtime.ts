import { availableParallelism } from "node:os";
import type {
  EncodedBatch,
  EncoderRun,
  InferenceRuntime,
  LoadedModel,
  ModelSource,
  RunOptions,
  RuntimeStats,
  Tensors,
  Trial,
  Validation,
} from "../../ports/inference-runtime.js";
import { OverloadedError, UnavailableError } from "../../shared/errors.js";
import { UnservableGraphError } from "../../shared/unservable-graph-error.js";
import { EncoderRuns } from "./encoder-runs.js";
import { GraphSession } from "./graph-session.js";
import type { RunCost } from "./graph-trial.js";
import type { Measurement } from "./inference-protocol.js";
import { MicroBatcher } from "./micro-batcher.js";
import type { RunReport } from "./micro-batcher.js";
import { ModelCache } from "./model-cache.js";
import type { CachedModel } from "./model-cache.js";
import { Validator } from "./validator.js";
import type { ValidationLimits } from "./validator.js";
import { WorkerPool } from "./worker-pool.js";

export interface OnnxInferenceSettings {
  /** Threads that run models; as many as cores by default. */
  workers?: number;
  /** Limit on the files of all loaded models together; every thread that runs a model holds a copy of it. */
  cacheBytes: number;
  /** Calls that may wait for a thread before further ones are turned away. */
  queueLimit: number;
  /** A model whose smallest run takes less than this many milliseconds runs on the calling thread. */
  inlineBelowMs?: number;
  /** Rows of a merged batch; 1 merges nothing. */
  maxBatch?: number;
  /** A run that takes longer costs its thread and answers TIMEOUT. */
  runTimeoutMs?: number;
  /** Execution providers in order of preference, e.g. ["cuda", "cpu"]. */
  providers?: readonly string[];
  validation: ValidationLimits;
  onRun?: (report: RunReport) => void;
  /** Told of the provider that runs a model that has been loaded. */
  onProvider?: (provider: string) => void;
}

/** Loading a tiny model on the calling thread may hold it for about this long, once. */
const inlineLoadBelowMs = 20;
/** A merged batch of tiny calls may hold the calling thread for this many single runs' limit. */
const inlineBatchFactor = 4;
const loadTimeoutMs = 120_000;
const closeGraceMs = 10_000;

export function createOnnxInferenceRuntime(settings: OnnxInferenceSettings): InferenceRuntime {
  return new OnnxInferenceRuntime(settings);
}

class OnnxInferenceRuntime implements InferenceRuntime {
  private readonly sessionSettings;
  private readonly inlineBelowMs: number;
  private readonly queueLimit: number;
  private readonly workers: number;
  private readonly pool: WorkerPool;
  private readonly batcher: MicroBatcher;
  private readonly encoders: EncoderRuns;
  private readonly cache: ModelCache;
  private readonly validator: Validator;
  private closed = false;

  constructor(private readonly settings: OnnxInferenceSettings) {
    this.sessionSettings = { providers: settings.providers ?? ["cpu"] };
    this.inlineBelowMs = settings.inlineBelowMs ?? 0.5;
    this.queueLimit = settings.queueLimit;
    this.workers = settings.workers ?? availableParallelism();
    this.pool = new WorkerPool(this.workers, this.sessionSettings);
    const runs = {
      inlineBudgetMs: this.inlineBelowMs * inlineBatchFactor,
      runTimeoutMs: settings.runTimeoutMs ?? 30_000,
      onRun: settings.onRun ?? (() => undefined),
    };
    this.batcher = new MicroBatcher(this.pool, { ...runs, maxBatch: settings.maxBatch ?? 64 });
    this.encoders = new EncoderRuns(this.pool, runs);
    this.cache = new ModelCache(
      settings.cacheBytes,
      (source) => this.load(source),
      (model) => this.release(model),
    );
    this.validator = new Validator(settings.validation);
  }

  validate(source: ModelSource, trials: readonly Trial[] = []): Promise<Validation> {
    this.assertOpen();
    return this.validator.validate(source, trials);
  }

  async warm(source: ModelSource): Promise<LoadedModel> {
    this.assertOpen();
    return this.cache.use(source, async (model) => {
      const { signature, warmRunMs, placement, mergesRows, rowsIndependent } = model;
      if (placement === "worker") {
        const { key, path } = source;
        await this.everywhere({ kind: "load", model: { key, path } }, true);
      }
      return { signature, warmRunMs, placement, mergesRows, rowsIndependent };
    });
  }

  async run(source: ModelSource, inputs: Tensors, options: RunOptions = {}): Promise<Tensors> {
    this.assertOpen();
    this.assertRoom();
    return this.cache.use(source, (model) => this.batcher.run(model, inputs, options), options);
  }

  async encode(source: ModelSource, run: EncoderRun): Promise<EncodedBatch> {
    this.assertOpen();
    this.assertRoom();
    return this.cache.use(source, (model) => this.encoders.run(model, run));
  }

  unload(key: string): Promise<void> {
    return this.cache.unload(key);
  }

  stats(): RuntimeStats {
    return {
      loadedModels: this.cache.size,
      cachedBytes: this.cache.usedBytes,
      queued: this.waiting,
      workers: this.workers,
    };
  }

  async close(): Promise<void> {
    this.closed = true;
    this.validator.close();
    await this.pool.close(closeGraceMs);
  }

  /** Measures in a thread first, so that a slow model never runs on the calling one. */
  private async load(source: ModelSource): Promise<CachedModel> {
    await source.ensure?.();
    try {
      const { signature, cost, rowsIndependent, loadMs, predictable, provider } = await this.measure(source);
      this.settings.onProvider?.(provider);
      const tiny =
        predictable && loadMs < inlineLoadBelowMs && cost !== undefined && cost.baseMs < this.inlineBelowMs;
      const inline = tiny ? await GraphSession.load(source.path, this.sessionSettings) : undefined;
      await inline?.warm();
      const placement = inline ? "inline" : "worker";
      return {
        source,
        signature,
        placement,
        rowsIndependent,
        mergesRows: rowsIndependent && gainsFromBatches(cost),
        warmRunMs: cost?.baseMs ?? null,
        cost,
        inline,
      };
    } catch (error) {
      if (!(error instanceof UnservableGraphError)) throw error;
      throw new UnavailableError(`The model could not be loaded: ${error.message}`, { cause: error });
    }
  }

  private measure({ key, path }: ModelSource): Promise<Measurement> {
    return new Promise((resolve, reject) => {
      this.pool.submit({
        priority: "interactive",
        timeoutMs: loadTimeoutMs,
        start: () => ({ request: { kind: "measure", model: { key, path } }, transfer: [] }),
        resolve: (value) => resolve(value as Measurement),
        reject,
      });
    });
  }

  private async release({ source, inline }: CachedModel): Promise<void> {
    await inline?.release();
    // A thread that dies meanwhile has released everything.
    if (!this.closed)
      await this.everywhere({ kind: "release", key: source.key }, false).catch(() => undefined);
  }

  private everywhere(request: Parameters<WorkerPool["broadcast"]>[0], start: boolean): Promise<void> {
    return this.pool.broadcast(request, { start, timeoutMs: loadTimeoutMs });
  }

  private get waiting(): number {
    return this.cache.waiting + this.batcher.waiting + this.encoders.waiting;
  }

  private assertRoom(): void {
    if (this.waiting < this.queueLimit) return;
    throw new OverloadedError("Too many calls are waiting for a model; try again later");
  }

  private assertOpen(): void {
    if (this.closed) throw new UnavailableError("Inference is shutting down");
  }
}

/** Where a further row costs about a whole run, threads side by side serve it better than one batch. */
function gainsFromBatches(cost: RunCost | undefined): boolean {
  return !cost || cost.perElementMs * cost.smallestElements < 0.8 * cost.baseMs;
}
