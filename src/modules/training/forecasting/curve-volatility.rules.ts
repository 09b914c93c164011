import type { CurveGraph } from "./curve-graph.rules.js";
import { LOOKBACK } from "./curve-panel.rules.js";
import type { CurvePanel } from "./curve-panel.rules.js";

/** Share of the long-run variance in the blend: calm quarters do not stay calm for ever. */
const LONG_RUN_WEIGHT = 0.1;

/**
 * How far a tenor moves in one step, as seen from an origin: the root of a blend of the mean squared change
 * inside the window and over all history before. Prediction intervals are multiples of it, so that they
 * widen when the market wakes up.
 */
export class CurveVolatility {
  private readonly squares: Float64Array;
  private readonly changes: Float64Array;
  private observedTo = 0;

  constructor(private readonly panel: CurvePanel) {
    this.squares = new Float64Array(panel.width);
    this.changes = new Float64Array(panel.width);
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

  /** @returns [tenors], > 0; of the long run alone where the window holds no change */
  at(origin: number): Float64Array {
    return Float64Array.from({ length: this.panel.width }, (_, tenor) => {
      let squares = 0;
      let changes = 0;
      for (let lag = 0; lag < LOOKBACK - 1; lag++) {
        const change = this.panel.carried(origin, lag, tenor) - this.panel.carried(origin, lag + 1, tenor);
        if (Number.isNaN(change)) continue;
        squares += change ** 2;
        changes++;
      }
      const recent = squares / Math.max(changes, 1);
      return Math.sqrt((1 - LONG_RUN_WEIGHT) * recent + LONG_RUN_WEIGHT * this.longRun(tenor));
    });
  }

  /** The same in the graph, [N, 1, tenors]. */
  emit(graph: CurveGraph): string {
    const { squares, changes } = graph.windowChanges();
    const recent = graph.divide(squares, graph.onnx.node("Max", [changes, graph.scalar(1)]));
    const longRun = Array.from({ length: graph.tenors }, (_, tenor) => LONG_RUN_WEIGHT * this.longRun(tenor));
    const blend = graph.add(
      graph.multiply(recent, graph.scalar(1 - LONG_RUN_WEIGHT)),
      graph.constant([1, graph.tenors], longRun),
    );
    return graph.unsqueeze(graph.onnx.node("Sqrt", [blend]), 1);
  }

  /** Mean squared change of a tenor so far; a curve that never moved gets the smallest quote step there is. */
  private longRun(tenor: number): number {
    return Math.max(this.squares[tenor]! / Math.max(this.changes[tenor]!, 1), Number.EPSILON);
  }
}
