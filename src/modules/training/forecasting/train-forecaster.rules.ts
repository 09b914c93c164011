import { InvalidInputError } from "../../../shared/errors.js";
import type { SegmentForecasts } from "./backtest-segments.rules.js";
import { LOOKBACK } from "./curve-panel.rules.js";
import { FittedForecaster } from "./fitted-forecaster.rules.js";
import type { Backtest, CurveHistory, TrainedForecaster, TrainingSpec } from "./forecaster.types.js";
import type { OriginForecast } from "./rolling-backtest.rules.js";
import type { TrainingWindow } from "./training-spec.rules.js";

/** Steps of the backtest between two reports of progress. */
const REPORT_EVERY = 50;

/**
 * Backtests a forecaster, fits it to everything through `to`, and writes it as one ONNX file. Pure: the same
 * history, spec and seed give the same bytes.
 * @param onProgress fraction from 0 to 1, and what is going on, for a person
 * @param recorded the segments of the backtest, all of them, where they have been computed before
 * @throws {InvalidInputError} when the spec does not fit the history, or too little is quoted for a single forecast
 */
export function trainForecaster(
  history: CurveHistory,
  spec: TrainingSpec,
  onProgress: (fraction: number, message: string) => void,
  recorded?: readonly SegmentForecasts[],
): TrainedForecaster {
  onProgress(0, "reading the history");
  const onForecast = (origin: number, _forecast: OriginForecast, { firstOrigin, to }: TrainingWindow) => {
    if ((origin - firstOrigin) % REPORT_EVERY !== 0) return;
    const fraction = (0.98 * (origin - firstOrigin)) / (to - firstOrigin + 1);
    onProgress(fraction, `backtest at ${history.dates[origin]}`);
  };
  const fitted = FittedForecaster.fit(history, spec, onForecast, recorded);
  if (fitted.backtest.scores.length === 0) {
    throw InvalidInputError.at("input.type", `${spec.type} could not make a single forecast of this history`);
  }
  onProgress(0.98, "writing the artifact");
  const artifact = fitted.toOnnx();
  onProgress(1, "trained");
  return {
    artifact,
    backtest: fitted.backtest,
    parameters: parameters(history, spec, fitted),
    metrics: metrics(spec.horizons, fitted.backtest),
  };
}

function parameters(
  { dates, tenors }: CurveHistory,
  spec: TrainingSpec,
  { window, backtest, forecaster }: FittedForecaster,
): { name: string; value: string }[] {
  const scored = new Set(backtest.scores.map(({ tenor }) => tenor));
  const unscored = tenors.filter((tenor) => !scored.has(tenor));
  return [
    { name: "type", value: spec.type },
    { name: "horizons", value: spec.horizons.join(",") },
    { name: "tenors", value: tenors.join(",") },
    { name: "coverage", value: String(spec.coverage) },
    { name: "lookback", value: String(LOOKBACK) },
    { name: "from", value: dates[window.from]! },
    { name: "to", value: dates[window.to]! },
    { name: "backtest_from", value: dates[window.backtestFrom]! },
    { name: "refit_every", value: String(spec.refitEvery) },
    { name: "seed", value: String(spec.seed) },
    ...(unscored.length ? [{ name: "tenors_not_scored", value: unscored.join(",") }] : []),
    ...forecaster.describe(),
  ];
}

/** Averages over tenors, for each horizon. */
function metrics(horizons: readonly number[], { scores }: Backtest): { name: string; value: number }[] {
  return horizons.flatMap((horizon) => {
    const rows = scores.filter((score) => score.horizon === horizon);
    const average = (name: string, values: number[]) =>
      values.length ? [{ name, value: values.reduce((sum, value) => sum + value, 0) / values.length }] : [];
    const relative = rows.flatMap(({ relativeToRandomWalk: ratio }) => (ratio === null ? [] : [ratio]));
    return [
      ...average(`relative_rmse_h${horizon}`, relative),
      ...average(
        `rmse_h${horizon}`,
        rows.map(({ rmse }) => rmse),
      ),
      ...average(
        `mae_h${horizon}`,
        rows.map(({ mae }) => mae),
      ),
      ...average(
        `coverage_h${horizon}`,
        rows.map(({ coverage }) => coverage),
      ),
    ];
  });
}
