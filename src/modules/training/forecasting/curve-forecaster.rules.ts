import type { CurveGraph } from "./curve-graph.rules.js";

/**
 * One way to forecast a curve. It learns step by step, so that a backtest costs the same for each date:
 * outcomes are shown to it in order, and what it says at an origin may only depend on dates up to there.
 */
export interface CurveForecaster {
  /** Takes in the outcomes of one date, for every horizon; called once a date, in order. */
  observe(date: number): void;

  /** Makes what was observed count for forecasts from now on. */
  refit(): void;

  /** Means for each horizon and tenor, row-major, NaN where the tenor has no quote inside the window. */
  forecast(origin: number): Float64Array;

  /** Writes the fitted forecaster into the artifact. @returns the means, [N, horizons, tenors] */
  emit(graph: CurveGraph): string;

  /** What a person wants to know of the fit. */
  describe(): { name: string; value: string }[];
}
