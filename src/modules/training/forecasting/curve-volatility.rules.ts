import type { CurveGraph } from "./curve-graph.rules.js";
import { LOOKBACK } from "./curve-panel.rules.js";
import type { CurvePanel } from "./curve-panel.rules.js";

/** Steps over which half of a calm or a storm has passed. */
const HALF_FORGOTTEN = 200;

/**
 * How far a tenor moves in one step, as seen from an origin: the root of a blend of the mean squared change
 * inside the window and over all history before, the latter weighing more at longer horizons. Prediction
 * intervals are multiples of it, so that they widen when the market wakes up.
 */
export class CurveVolatility {
  private readonly squares: Float64Array;
  private readonly changes: Float64Array;
  private observedTo = 0;

  /** For each horizon, the share of the long run in the blend. */
  private readonly longRunShare: number[];

  constructor(
    private readonly panel: CurvePanel,
    horizons: readonly number[],
  ) {
    this.squares = new Float64Array(panel.width);
    this.changes = new Float64Array(panel.width);
    this.longRunShare = horizons.map((horizon) => horizon / (horizon + HALF_FORGOTTEN));
  }

  /** Takes in the changes up to a date; called with ascending dates. */
  observe(date: number): void {
    for (let next = this.observedTo + 1; next <= date; next++) {
      for (let tenor = 0; tenor < this.panel.width; tenor++) {
        const change = this.panel.carried(next, 0, tenor) - this.panel.carried(next, 1, tenor);
        if (Number.isNaN(change)) continue;
        this.squares[tenor]! += change ** 2;
        this.changes[tenor]!++;
      }
      this.observedTo = next;
    }
  }

  /** @returns row-major [horizons, tenors], > 0 */
  at(origin: number): Float64Array {
    const { width } = this.panel;
    const recent = Float64Array.from({ length: width }, (_, tenor) => this.recent(origin, tenor));
    const volatility = new Float64Array(this.longRunShare.length * width);
    this.longRunShare.forEach((share, h) => {
      for (let tenor = 0; tenor < width; tenor++) {
        const blend = (1 - share) * recent[tenor]! + share * this.longRun(tenor);
        volatility[h * width + tenor] = Math.sqrt(blend);
      }
    });
    return volatility;
  }

  /** The same in the graph, [N, horizons, tenors]. */
  emit(graph: CurveGraph): string {
    const { squares, changes } = graph.windowChanges();
    const recent = graph.divide(squares, graph.onnx.node("Max", [changes, graph.scalar(1)]));
    const recentShare = graph.constant(
      [1, graph.horizons, 1],
      this.longRunShare.map((share) => 1 - share),
    );
    const longRun = this.longRunShare.flatMap((share) =>
      Array.from({ length: graph.tenors }, (_, tenor) => share * this.longRun(tenor)),
    );
    const blend = graph.add(
      graph.multiply(graph.unsqueeze(recent, 1), recentShare),
      graph.constant([1, graph.horizons, graph.tenors], longRun),
    );
    return graph.onnx.node("Sqrt", [blend]);
  }

  /** Mean squared change inside the window; 0 where it holds none. */
  private recent(origin: number, tenor: number): number {
    let squares = 0;
    let changes = 0;
    for (let lag = 0; lag < LOOKBACK - 1; lag++) {
      const change = this.panel.carried(origin, lag, tenor) - this.panel.carried(origin, lag + 1, tenor);
      if (Number.isNaN(change)) continue;
      squares += change ** 2;
      changes++;
    }
    return squares / Math.max(changes, 1);
  }

  /** Mean squared change so far; of a tenor that never moved next to nothing, so that it can be divided by. */
  private longRun(tenor: number): number {
    return Math.max(this.squares[tenor]! / Math.max(this.changes[tenor]!, 1), Number.EPSILON);
  }
}
