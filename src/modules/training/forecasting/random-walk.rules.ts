import type { CurveForecaster } from "./curve-forecaster.rules.js";
import type { CurveGraph } from "./curve-graph.rules.js";
import type { CurvePanel } from "./curve-panel.rules.js";

/** The last quote, whatever the horizon: what every other forecaster is measured against. */
export class RandomWalk implements CurveForecaster {
  constructor(
    private readonly panel: CurvePanel,
    private readonly horizons: readonly number[],
  ) {}

  observe(): void {
    // Nothing to learn.
  }

  refit(): void {
    // Nothing to fit.
  }

  forecast(origin: number): Float64Array {
    const curve = this.panel.carriedCurve(origin);
    const means = new Float64Array(this.horizons.length * curve.length);
    for (let h = 0; h < this.horizons.length; h++) means.set(curve, h * curve.length);
    return means;
  }

  emit(graph: CurveGraph): string {
    const shape = graph.index([3], [1, graph.horizons, 1]);
    return graph.onnx.node("Expand", [graph.unsqueeze(graph.level(), 1), shape]);
  }

  describe(): { name: string; value: string }[] {
    return [];
  }
}
