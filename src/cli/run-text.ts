import { backtestTable, fullBacktestTable } from "./backtest-table.js";
import type { TrainingRun } from "./graph-operations.js";
import type { Terminal } from "./terminal.js";

/** The backtest or measures of a run, and what it became. */
export function runText(terminal: Terminal, run: TrainingRun, full: boolean): string {
  const source = run.curve?.name ?? run.collection?.name ?? "-";
  const lines = [`run ${run.id} on ${source}: ${run.status}`];
  if (run.error) lines.push(run.error);
  if (run.backtest) {
    lines.push(`Backtest from ${run.backtest.origins} origins, out of sample (means over the tenors):`);
    lines.push(backtestTable(terminal, run.backtest));
    if (full) lines.push(fullBacktestTable(terminal, run.backtest));
  } else if (run.metrics.length > 0) {
    lines.push(run.metrics.map(({ name, value }) => `${name} ${Number(value.toPrecision(4))}`).join(", "));
  }
  if (run.version) lines.push(`${run.model.name} version ${run.version.number}, stage ${run.version.stage}`);
  return lines.join("\n");
}
