import type { SegmentForecasts } from "./backtest-segments.rules.js";
import type { CurveForecaster } from "./curve-forecaster.rules.js";
import type { CurveGraph } from "./curve-graph.rules.js";

/** What the components of a forecaster have said at every origin of a backtest. */
export class RecordedForecasts {
  constructor(
    private readonly segments: readonly SegmentForecasts[],
    private readonly cells: number,
  ) {}

  /** Row-major [horizons, tenors]; undefined at an origin that is in no segment. */
  at(component: number, origin: number): Float64Array | undefined {
    const segment = this.segments.find(({ from, to }) => from <= origin && origin <= to);
    if (!segment) return undefined;
    const components = segment.values.length / (segment.to - segment.from + 1) / this.cells;
    const start = ((origin - segment.from) * components + component) * this.cells;
    return segment.values.subarray(start, start + this.cells);
  }
}

/** A component that says again what was recorded of it, and learns only what its last fit needs. */
export class RecordedForecaster implements CurveForecaster {
  private observed = -1;

  /** @param to last date that it will observe */
  constructor(
    private readonly learner: CurveForecaster,
    private readonly recorded: (origin: number) => Float64Array | undefined,
    private readonly to: number,
  ) {}

  observe(date: number): void {
    this.observed = date;
    this.learner.observe(date);
  }

  refit(): void {
    if (this.observed === this.to) this.learner.refit();
  }

  forecast(origin: number): Float64Array {
    return this.recorded(origin) ?? this.learner.forecast(origin);
  }

  emit(graph: CurveGraph): string {
    return this.learner.emit(graph);
  }

  describe(): { name: string; value: string }[] {
    return this.learner.describe();
  }
}
