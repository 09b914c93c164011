import type { Backtest, BacktestScore } from "./graph-operations.js";
import type { Terminal } from "./terminal.js";

const HEAD = ["RMSE", "MAE", "RMSE / random walk", "coverage"];

/** A row for each horizon: means over the tenors. */
export function backtestTable(terminal: Terminal, { scores }: Backtest): string {
  const horizons = [...new Set(scores.map(({ horizon }) => horizon))].sort((a, b) => a - b);
  const rows = horizons.map((horizon) => {
    const own = scores.filter((score) => score.horizon === horizon);
    return [horizon, own.length, ...figures(meanScore(own))];
  });
  return terminal.table(["horizon", "tenors", ...HEAD], rows, [0, 1, 2, 3, 4, 5]);
}

/** A row for each horizon and tenor. */
export function fullBacktestTable(terminal: Terminal, { scores }: Backtest): string {
  const rows = scores.map((score) => [score.horizon, score.tenor, ...figures(score)]);
  return terminal.table(["horizon", "tenor", ...HEAD], rows, [0, 2, 3, 4, 5]);
}

/** Means over the given scores; of the ratio over those that have one. */
export function meanScore(scores: Omit<BacktestScore, "horizon" | "tenor">[]): Figures {
  return {
    rmse: mean(scores.map(({ rmse }) => rmse))!,
    mae: mean(scores.map(({ mae }) => mae))!,
    relativeToRandomWalk: mean(scores.flatMap(({ relativeToRandomWalk: ratio }) => ratio ?? [])),
    coverage: mean(scores.map(({ coverage }) => coverage))!,
  };
}

type Figures = Pick<BacktestScore, "rmse" | "mae" | "relativeToRandomWalk" | "coverage">;

function figures({ rmse, mae, relativeToRandomWalk, coverage }: Figures): (string | null)[] {
  return [
    rmse.toFixed(4),
    mae.toFixed(4),
    relativeToRandomWalk?.toFixed(3) ?? null,
    `${(coverage * 100).toFixed(1)} %`,
  ];
}

function mean(values: number[]): number | null {
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
}
