import Table from "cli-table3";
import type { Fault, FaultOutcome } from "./fault.js";

export interface FaultResult {
  fault: Fault;
  /** What it threw where it could not be carried out. */
  outcome: FaultOutcome | Error;
  seconds: number;
}

export function passed({ outcome }: FaultResult): boolean {
  return !(outcome instanceof Error) && outcome.losses.length === 0 && outcome.violations.length === 0;
}

/** One line a fault: what was acknowledged, what of it was lost, how long it took to recover. */
export function faultTable(results: readonly FaultResult[]): string {
  const table = new Table({
    head: ["fault", "engine", "acknowledged", "lost", "recovery", "note"],
    colAligns: ["left", "left", "right", "right", "right", "left"],
    style: { head: [], border: [], compact: true },
  });
  for (const { fault, outcome } of results) {
    if (outcome instanceof Error) {
      table.push([
        fault.name,
        fault.engine,
        "-",
        "-",
        "-",
        `could not be carried out: ${outcome.message.slice(0, 200)}`,
      ]);
      continue;
    }
    const { acknowledged, losses, violations, recoveryMs, note = "" } = outcome;
    const recovery = recoveryMs === undefined ? "-" : `${(recoveryMs / 1000).toFixed(1)} s`;
    const words = [...violations, ...losses].slice(0, 3).join("; ");
    table.push([fault.name, fault.engine, acknowledged, losses.length, recovery, words || note]);
  }
  return table.toString();
}
