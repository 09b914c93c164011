import type { Tier } from "./tier.js";

/** What one fault came to. */
export interface FaultOutcome {
  /** Operations that the platform has acknowledged. */
  acknowledged: number;
  /** Of these, those that the final state lacks, has twice or has otherwise: each with its reason. */
  losses: string[];
  /** Other rules that did not hold. */
  violations: string[];
  /** From the end of the fault until every kind of operation worked again; undefined where nothing stood still. */
  recoveryMs?: number;
  /** For people. */
  note?: string;
}

/** An engine that the fault is about: the selection of CI covers each. `checks`: the checks themselves. */
export type Engine =
  | "worker"
  | "gateway"
  | "queue"
  | "cache"
  | "database"
  | "objects"
  | "model"
  | "clock"
  | "network"
  | "checks";

export interface Fault {
  /** Short and unique, as `--only` takes it. */
  name: string;
  engine: Engine;
  /** Part of the third that CI runs. */
  ci: boolean;
  run(tier: Tier): Promise<FaultOutcome>;
}
