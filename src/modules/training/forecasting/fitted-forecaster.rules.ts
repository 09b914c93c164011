import { ConformalIntervals } from "./conformal-intervals.rules.js";
import { createForecaster } from "./create-forecaster.rules.js";
import type { CurveForecaster } from "./curve-forecaster.rules.js";
import { CurveGraph } from "./curve-graph.rules.js";
import { CurvePanel, LOOKBACK } from "./curve-panel.rules.js";
import { CurveVolatility } from "./curve-volatility.rules.js";
import type { Backtest, CurveHistory, TrainingSpec } from "./forecaster.types.js";
import type { SegmentForecasts } from "./backtest-segments.rules.js";
import { RecordedForecaster, RecordedForecasts } from "./recorded-forecaster.rules.js";
import { refitSchedule } from "./refit-schedule.rules.js";
import { RollingBacktest } from "./rolling-backtest.rules.js";
import type { OriginForecast } from "./rolling-backtest.rules.js";
import { checkTrainingSpec } from "./training-spec.rules.js";
import type { TrainingWindow } from "./training-spec.rules.js";

/** Row-major [horizons, tenors]; lower <= mean <= upper, all NaN where a tenor has no quote inside the window. */
export interface IntervalForecast {
  mean: Float64Array;
  lower: Float64Array;
  upper: Float64Array;
}

/** A forecaster after its backtest, refitted to everything through `to`, with the intervals that it earned. */
export class FittedForecaster {
  private constructor(
    readonly window: TrainingWindow,
    readonly backtest: Backtest,
    readonly forecaster: CurveForecaster,
    private readonly volatility: CurveVolatility,
    private readonly radii: Float64Array,
    private readonly history: CurveHistory,
    private readonly spec: TrainingSpec,
  ) {}

  /**
   * @param onForecast told of each origin of the backtest and what was forecast from it
   * @param recorded what the components have said at every origin, so that it need not be computed again
   * @throws {InvalidInputError} when the spec does not fit the history
   */
  static fit(
    history: CurveHistory,
    spec: TrainingSpec,
    onForecast: (origin: number, forecast: OriginForecast, window: TrainingWindow) => void = () => undefined,
    recorded?: readonly SegmentForecasts[],
  ): FittedForecaster {
    const window = checkTrainingSpec(spec, history);
    const panel = new CurvePanel(history);
    const forecasts = recorded && new RecordedForecasts(recorded, spec.horizons.length * panel.width);
    const forecaster = createForecaster(panel, spec, (learner, component) =>
      forecasts
        ? new RecordedForecaster(learner, (origin) => forecasts.at(component, origin), window.to)
        : learner,
    );
    const volatility = new CurveVolatility(panel, spec.horizons);
    const intervals = new ConformalIntervals(spec.horizons.length, panel.width, spec.coverage);
    const rolling = new RollingBacktest(panel, spec.horizons, window, forecaster, volatility, intervals);
    rolling.run(refitSchedule(window, spec), (origin, forecast) => onForecast(origin, forecast, window));
    const backtest = rolling.result(history.tenors);
    return new FittedForecaster(window, backtest, forecaster, volatility, intervals.radii(), history, spec);
  }

  /** What the artifact would answer for the window that ends at an origin. */
  forecast(origin: number): IntervalForecast {
    const mean = this.forecaster.forecast(origin);
    const volatility = this.volatility.at(origin);
    const width = this.radii.map((radius, i) => radius * volatility[i]!);
    return {
      mean,
      lower: mean.map((value, i) => value - width[i]!),
      upper: mean.map((value, i) => value + width[i]!),
    };
  }

  /** The whole pipeline as one ONNX file. */
  toOnnx(): Uint8Array {
    const { tenors } = this.history;
    const { horizons, coverage, type } = this.spec;
    const graph = new CurveGraph(tenors.length, horizons.length);
    const mean = this.forecaster.emit(graph);
    const radii = graph.constant([1, horizons.length, tenors.length], this.radii);
    const width = graph.multiply(this.volatility.emit(graph), radii);
    graph.output("mean", mean);
    graph.output("lower", graph.subtract(mean, width));
    graph.output("upper", graph.add(mean, width));
    graph.onnx.metadata("type", type);
    graph.onnx.metadata("horizons", horizons.join(","));
    graph.onnx.metadata("tenors", tenors.join(","));
    graph.onnx.metadata("coverage", String(coverage));
    graph.onnx.metadata("lookback", String(LOOKBACK));
    return graph.onnx.encode();
  }
}
