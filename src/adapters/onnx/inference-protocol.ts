import type { Tensors } from "../../ports/inference-runtime.js";
import type { PoolingStep } from "../../shared/pool-vectors.js";
import type { GraphTrial } from "./graph-trial.js";

export interface ModelLocation {
  key: string;
  path: string;
}

/** What the pool asks of a worker. */
export type WorkerRequest =
  | { kind: "measure"; model: ModelLocation }
  | { kind: "load"; model: ModelLocation }
  | { kind: "run"; model: ModelLocation; inputs: Tensors; outputs?: readonly string[] }
  | { kind: "encode"; model: ModelLocation; inputs: Tensors; pooling: PoolingStep; isBulk: boolean }
  | { kind: "release"; key: string };

export interface Measurement extends GraphTrial {
  loadMs: number;
  /** False where the run time depends on the values, as in a loop: its measured time promises nothing. */
  predictable: boolean;
  /** The execution provider that runs it. */
  provider: string;
}

export interface RunResult {
  outputs: Tensors;
  seconds: number;
}

export interface EncodeResult {
  vectors: Float32Array;
  seconds: number;
}

export type WorkerValue = Measurement | RunResult | EncodeResult | undefined;

export type WorkerFailure =
  /** `refused`: the graph refused the values; `unservable`: it cannot be loaded. */
  { reason: "refused" | "unservable" | "internal"; message: string };

export type WorkerReply =
  { id: number; ok: true; value: WorkerValue } | { id: number; ok: false; failure: WorkerFailure };
