import type { Tensors } from "../../ports/inference-runtime.js";
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
  | { kind: "release"; key: string };

export interface Measurement extends GraphTrial {
  loadMs: number;
  /** False where the run time depends on the values, as in a loop: its measured time promises nothing. */
  predictable: boolean;
}

export interface RunResult {
  outputs: Tensors;
  seconds: number;
}

export type WorkerFailure =
  /** `refused`: the graph refused the values; `unservable`: it cannot be loaded. */
  { reason: "refused" | "unservable" | "internal"; message: string };

export type WorkerReply =
  | { id: number; ok: true; value: Measurement | RunResult | undefined }
  | { id: number; ok: false; failure: WorkerFailure };
