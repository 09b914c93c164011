import type { PoolingStep } from "../shared/pool-vectors.js";
import type { ModelSignature, TensorValue } from "../shared/tensor.js";

export type { ModelSignature, TensorBuffer, TensorSpec, TensorType, TensorValue } from "../shared/tensor.js";

/** A model on local disk, as `ObjectStore.materialize` lays it out. */
export interface ModelSource {
  /** Identity of the bytes: digest of the graph and its files. */
  key: string;
  /** Path of the ONNX file; files that it refers to lie beside it. */
  path: string;
  /** Size of all files, what the memory limit counts. */
  bytes: number;
  /** Brings back what local disk has dropped: called before the files are opened, and now and then while they may be. */
  ensure?: () => Promise<unknown>;
}

export type Validation =
  /** `trials`: an outcome for each trial that was asked for, in their order. */
  | { ok: true; signature: ModelSignature; trials: TrialOutcome[] }
  /** In words for the person who uploaded it. */
  | { ok: false; rejection: string };

export type Tensors = Record<string, TensorValue>;

/** A run that is tried while a file is validated. */
export interface Trial {
  inputs: Tensors;
  outputs: readonly string[];
}

export type TrialOutcome =
  /** `finite`: no element is NaN or infinite. */
  | { ok: true; outputs: Record<string, { shape: number[]; finite: boolean }> }
  /** What the graph said against the inputs. */
  | { ok: false; refusal: string };

export interface RunOptions {
  /** Names of the outputs to return; all by default. */
  outputs?: readonly string[];
  /** A caller that goes away: its place in the queue is freed. Read only when the call has to wait. */
  readonly signal?: AbortSignal;
  /** Interactive calls run before bulk ones. */
  priority?: "interactive" | "bulk";
}

export interface LoadedModel {
  signature: ModelSignature;
  /**
   * Milliseconds of one warm run with the smallest inputs, which decide the placement; null when the graph
   * refuses such inputs.
   */
  warmRunMs: number | null;
  /** Where a small call runs: on the calling thread, or in a thread of the pool. */
  placement: "inline" | "worker";
  /**
   * Whether concurrent calls are merged: the first dimension is dynamic everywhere, rows do not mix, and a batch
   * is cheaper than its rows.
   */
  mergesRows: boolean;
  /** Whether a row's outputs are the same in any company; dynamic quantisation, for one, looks at the whole batch. */
  rowsIndependent: boolean;
}

/** One padded batch of an encoder. */
export interface EncoderRun {
  inputs: Tensors;
  pooling: PoolingStep;
  /** Bulk runs never use the calling thread. */
  priority: "interactive" | "bulk";
}

export interface EncodedBatch {
  /** Row-major [texts, dimensions]. */
  vectors: Float32Array;
  /** Time of the run itself, without waiting. */
  seconds: number;
}

export interface RuntimeStats {
  loadedModels: number;
  cachedBytes: number;
  /** Calls that wait for a worker. */
  queued: number;
  /** Runs that can go on side by side. */
  workers: number;
}

/** Runs ONNX graphs, never for longer than moments on the calling thread. */
export interface InferenceRuntime {
  /** Loads and tries the file where it can hurt only a child process, bounded in time and memory. */
  validate(source: ModelSource, trials?: readonly Trial[]): Promise<Validation>;

  /** Loads the model and runs it once, so that the next run is served at full speed. */
  warm(source: ModelSource): Promise<LoadedModel>;

  /**
   * One run. Calls for the same model whose first dimension is dynamic in every input and output may be
   * merged into one batch.
   * @param inputs checked against the signature by the caller
   * @throws {OverloadedError} when the queue is full
   * @throws {InvalidInputError} when the graph refuses the values
   * @throws {UnavailableError} when the model cannot be loaded, or its thread died
   * @throws {TimeoutError} when the run takes too long
   */
  run(source: ModelSource, inputs: Tensors, options?: RunOptions): Promise<Tensors>;

  /**
   * One run of an encoder, as it is: never merged with others, and pooled where it was computed, so that the
   * vectors of tokens never leave their thread. Bulk runs wait while interactive ones do; one more thread is
   * held for interactive runs of models that do bulk work, whose threads leave the processor to it.
   * @throws what `run` throws
   */
  encode(source: ModelSource, run: EncoderRun): Promise<EncodedBatch>;

  /** Forgets the model once the runs under way have ended. */
  unload(key: string): Promise<void>;

  stats(): RuntimeStats;
  close(): Promise<void>;
}
