import type { ConformalIntervals } from "./conformal-intervals.rules.js";
import type { CurveForecaster } from "./curve-forecaster.rules.js";
import type { CurvePanel } from "./curve-panel.rules.js";
import type { CurveVolatility } from "./curve-volatility.rules.js";
import type { Backtest, BacktestScore } from "./forecaster.types.js";
import type { TrainingWindow } from "./training-spec.rules.js";

/** What was said at one origin, row-major [horizons, tenors]. */
export interface OriginForecast {
  means: Float64Array;
  /** Half-widths of the intervals. */
  widths: Float64Array;
  /** What the widths are multiples of. */
  volatility: Float64Array;
}

class ScoreSums {
  count = 0;
  private squares = 0;
  private absolutes = 0;
  private walkSquares = 0;
  private inside = 0;

  add(error: number, walkError: number, inside: boolean): void {
    this.count++;
    this.squares += error ** 2;
    this.absolutes += Math.abs(error);
    this.walkSquares += walkError ** 2;
    if (inside) this.inside++;
  }

  score(horizon: number, tenor: string): BacktestScore {
    const rmse = Math.sqrt(this.squares / this.count);
    const walk = Math.sqrt(this.walkSquares / this.count);
    return {
      horizon,
      tenor,
      rmse,
      mae: this.absolutes / this.count,
      relativeToRandomWalk: walk === 0 ? null : rmse / walk,
      coverage: this.inside / this.count,
    };
  }
}

/**
 * Walks a forecaster through its history: at each origin it has seen the outcomes up to there and nothing
 * else, is refitted when it is due, and forecasts. What its forecasts missed by calibrates the intervals,
 * from the first origin on, and is scored from `backtestFrom` on. At the end everything through `to` was seen.
 */
export class RollingBacktest {
  private readonly pending = new Map<number, OriginForecast>();
  private readonly sums: ScoreSums[][];
  private readonly scoredOrigins = new Set<number>();

  constructor(
    private readonly panel: CurvePanel,
    private readonly horizons: readonly number[],
    private readonly window: TrainingWindow,
    private readonly forecaster: CurveForecaster,
    private readonly volatility: CurveVolatility,
    private readonly intervals: ConformalIntervals,
  ) {
    this.sums = horizons.map(() => Array.from({ length: panel.width }, () => new ScoreSums()));
  }

  /** @param onForecast told of every origin and what was forecast from it */
  run(
    isRefit: (origin: number) => boolean,
    onForecast: (origin: number, forecast: OriginForecast) => void,
  ): void {
    const { from, to, firstOrigin } = this.window;
    for (let date = from; date <= to; date++) {
      this.forecaster.observe(date);
      this.volatility.observe(date);
      if (date < firstOrigin) continue;
      this.settle(date);
      if (isRefit(date)) this.forecaster.refit();
      onForecast(date, this.forecast(date));
    }
    this.forecaster.refit();
  }

  result(tenors: readonly string[]): Backtest {
    const scores = this.sums.flatMap((byTenor, h) =>
      byTenor.flatMap((sums, tenor) => (sums.count ? [sums.score(this.horizons[h]!, tenors[tenor]!)] : [])),
    );
    return { origins: this.scoredOrigins.size, scores };
  }

  private forecast(origin: number): OriginForecast {
    const volatility = this.volatility.at(origin);
    const widths = this.intervals.radii();
    for (let i = 0; i < widths.length; i++) widths[i]! *= volatility[i]!;
    const forecast = { means: this.forecaster.forecast(origin), widths, volatility };
    this.pending.set(origin, forecast);
    this.pending.delete(origin - Math.max(...this.horizons));
    return forecast;
  }

  /** Compares the outcomes of a date with what was forecast for it. */
  private settle(date: number): void {
    this.horizons.forEach((horizon, h) => {
      const origin = date - horizon;
      const forecast = this.pending.get(origin);
      if (!forecast) return;
      for (let tenor = 0; tenor < this.panel.width; tenor++) {
        const cell = h * this.panel.width + tenor;
        const outcome = this.panel.quote(date, tenor);
        const error = outcome - forecast.means[cell]!;
        if (Number.isNaN(error)) continue;
        this.intervals.record(h, tenor, Math.abs(error) / forecast.volatility[cell]!);
        if (date < this.window.backtestFrom) continue;
        const walkError = outcome - this.panel.carried(origin, 0, tenor);
        this.sums[h]![tenor]!.add(error, walkError, Math.abs(error) <= forecast.widths[cell]!);
        this.scoredOrigins.add(origin);
      }
    });
  }
}
