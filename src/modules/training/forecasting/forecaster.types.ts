export const FORECASTER_TYPES = [
  "RANDOM_WALK",
  "NELSON_SIEGEL",
  "FACTOR_VAR",
  "RIDGE",
  "GRADIENT_BOOSTING",
  "ENSEMBLE",
] as const;

export type ForecasterType = (typeof FORECASTER_TYPES)[number];

/** What a forecaster learns from. Structured-cloneable, so that it can be sent to a thread. */
export interface CurveHistory {
  kind: "YIELD" | "FORWARD";
  /** ISO dates, ascending, unique; gaps between them may differ. */
  dates: string[];
  /** ISO durations (P1M, P2Y) or contract positions (M1, M2). */
  tenors: string[];
  /** Row-major [dates, tenors], NaN where nothing was quoted. */
  values: Float64Array;
}

export interface TrainingSpec {
  type: ForecasterType;
  /** Steps of the curve's own dates. */
  horizons: number[];
  /** First date of the outcomes that it is fitted to; regressors may reach further back. */
  from?: string;
  /** Last date of the outcomes. */
  to?: string;
  /** First outcome date of the backtest; by default the date at three quarters of the history. */
  backtestFrom?: string;
  /** Steps between refits in the backtest; 1 refits at every origin. */
  refitEvery: number;
  /** Coverage of the prediction intervals, a share. */
  coverage: number;
  /** Options of the type, checked by name and range. */
  options: Record<string, unknown>;
  seed: number;
}

export interface BacktestScore {
  horizon: number;
  tenor: string;
  rmse: number;
  mae: number;
  /** RMSE over the random walk's on the same forecasts; null where that is 0. */
  relativeToRandomWalk: number | null;
  /** Share of outcomes inside the interval. */
  coverage: number;
}

export interface Backtest {
  /** Distinct dates from which outcomes were forecast. */
  origins: number;
  scores: BacktestScore[];
}

export interface TrainedForecaster {
  /** One ONNX file that holds the whole pipeline. */
  artifact: Uint8Array;
  backtest: Backtest;
  parameters: { name: string; value: string }[];
  metrics: { name: string; value: number }[];
}
