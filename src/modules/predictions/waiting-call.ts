import type { RunOptions } from "../../ports/inference-runtime.js";
import type { Caller } from "../identity/index.js";

/** Who asks, and a signal that is aborted when they go away; it is made when it is first read. */
export interface Asker {
  readonly caller: Caller;
  readonly signal: AbortSignal;
}

/** The options of a run on someone's behalf; reads the asker's signal only when the run has to wait. */
export class WaitingCall implements RunOptions {
  constructor(
    private readonly asker: Asker,
    readonly outputs?: readonly string[],
  ) {}

  get signal(): AbortSignal {
    return this.asker.signal;
  }
}
