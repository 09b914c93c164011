import { FittedForecaster } from "../../../src/modules/training/forecasting/fitted-forecaster.rules.js";
import { FORECASTER_TYPES } from "../../../src/modules/training/forecasting/forecaster.types.js";
import type {
  CurveHistory,
  ForecasterType,
} from "../../../src/modules/training/forecasting/forecaster.types.js";
import { trainForecaster } from "../../../src/modules/training/forecasting/train-forecaster.rules.js";
import { syntheticCurve, trainingSpec, withBlanks } from "./synthetic-curve.js";

const history = withBlanks(syntheticCurve(340));
const LAST_KNOWN = 300;

/** The same up to LAST_KNOWN, and quite another market after it. */
const otherFuture: CurveHistory = {
  ...history,
  values: history.values.map((value, cell) =>
    Math.floor(cell / history.tenors.length) > LAST_KNOWN ? 100 - 3 * value : value,
  ),
};

function forecasts(
  of: CurveHistory,
  type: ForecasterType,
): Map<number, { means: Float64Array; widths: Float64Array }> {
  const made = new Map<number, { means: Float64Array; widths: Float64Array }>();
  FittedForecaster.fit(of, trainingSpec({ type, refitEvery: 20 }), (origin, { means, widths }) =>
    made.set(origin, { means: means.slice(), widths: widths.slice() }),
  );
  return made;
}

test.each(FORECASTER_TYPES)(
  "%s: another future changes no forecast and no interval made before it",
  (type) => {
    const made = forecasts(history, type);
    const other = forecasts(otherFuture, type);
    const past = [...made.keys()].filter((origin) => origin <= LAST_KNOWN);
    expect(past.length).toBeGreaterThan(100);
    for (const origin of past) expect(other.get(origin)).toEqual(made.get(origin));
    expect(other.get(LAST_KNOWN + 1)!.means).not.toEqual(made.get(LAST_KNOWN + 1)!.means);
  },
);

test.each(FORECASTER_TYPES)("%s: nothing after `to` is looked at", (type) => {
  const spec = trainingSpec({ type, to: history.dates[LAST_KNOWN], refitEvery: 40 });
  const trained = trainForecaster(history, spec, () => undefined);
  const other = trainForecaster(otherFuture, spec, () => undefined);
  expect(Buffer.compare(other.artifact, trained.artifact)).toBe(0);
  expect(other.backtest).toEqual(trained.backtest);
});
