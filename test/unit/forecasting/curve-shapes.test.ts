import { FittedForecaster } from "../../../src/modules/training/forecasting/fitted-forecaster.rules.js";
import { FORECASTER_TYPES } from "../../../src/modules/training/forecasting/forecaster.types.js";
import type { CurveHistory } from "../../../src/modules/training/forecasting/forecaster.types.js";
import { largestDifference, runArtifact } from "./artifact-run.js";
import { randomNumbers, syntheticCurve, trainingSpec } from "./synthetic-curve.js";

const last = 259;

/** Twelve monthly contracts around a price that falls below zero. */
function forwardCurve(): CurveHistory {
  const random = randomNumbers(11);
  const history = syntheticCurve(last + 1);
  const tenors = Array.from({ length: 12 }, (_, j) => `M${j + 1}`);
  let price = 20;
  const values = history.dates.flatMap((_, date) => {
    price += 2 * (random() - 0.5) - 0.1;
    const spike = date === 200 ? -60 : 0;
    return tenors.map((__, j) => price + (30 - price) * (j / 24) + spike * 0.5 ** j + 0.1 * random());
  });
  return { kind: "FORWARD", dates: history.dates, tenors, values: Float64Array.from(values) };
}

const shapes: [string, CurveHistory][] = [
  ["a forward curve with negative prices", forwardCurve()],
  ["two tenors, the longer one first", syntheticCurve(last + 1, 5, ["P10Y", "P1Y"])],
  ["a single tenor", syntheticCurve(last + 1, 5, ["P1Y"])],
  ["tenors of the same length under two names", syntheticCurve(last + 1, 5, ["P3M", "P12M", "P1Y", "P5Y"])],
  ["tenors in no order", syntheticCurve(last + 1, 5, ["P5Y", "P3M", "P10Y", "P1Y", "P2Y"])],
];

describe.each(shapes)("%s", (_, history) => {
  const types = FORECASTER_TYPES.filter((type) => type !== "NELSON_SIEGEL" || history.tenors.length > 2);

  test.each(types)("is forecast by %s, here and in the artifact", async (type) => {
    const fitted = FittedForecaster.fit(history, trainingSpec({ type, refitEvery: 60 }));
    const expected = fitted.forecast(last);
    expect(expected.mean.every(Number.isFinite)).toBe(true);
    expected.mean.forEach((mean, cell) => {
      expect(expected.lower[cell]!).toBeLessThan(mean);
      expect(expected.upper[cell]!).toBeGreaterThan(mean);
    });
    const [answer] = await runArtifact(fitted.toOnnx(), history, [last]);
    expect(largestDifference(answer!.mean, expected.mean)).toBeLessThan(1e-5);
    expect(largestDifference(answer!.lower, expected.lower)).toBeLessThan(1e-5);
    expect(largestDifference(answer!.upper, expected.upper)).toBeLessThan(1e-5);
    expect(fitted.backtest.scores).toHaveLength(2 * history.tenors.length);
  });
});

test.each(FORECASTER_TYPES)("%s forecasts a curve that never moves to stay where it is", async (type) => {
  const still = syntheticCurve(last + 1);
  const history = { ...still, values: still.values.map((__, cell) => 2 + (cell % still.tenors.length) / 4) };
  const fitted = FittedForecaster.fit(history, trainingSpec({ type, refitEvery: 60 }));
  const [answer] = await runArtifact(fitted.toOnnx(), history, [last]);
  const expected = fitted.forecast(last);
  expect(largestDifference(answer!.mean, expected.mean)).toBeLessThan(1e-5);
  if (type === "RANDOM_WALK") {
    expect(fitted.backtest.scores.every((score) => score.relativeToRandomWalk === null)).toBe(true);
  }
  if (type === "NELSON_SIEGEL") return; // Its three factors do not run through seven points.
  expected.mean.forEach((mean, cell) => {
    expect(mean).toBeCloseTo(2 + (cell % still.tenors.length) / 4, 2);
  });
});

test("a tenor that was never quoted is named, and answered with NaN", () => {
  const history = syntheticCurve(last + 1);
  const values = history.values.map((value, cell) =>
    cell % history.tenors.length === 2 ? Number.NaN : value,
  );
  const fitted = FittedForecaster.fit({ ...history, values }, trainingSpec({ type: "RIDGE" }));
  expect(fitted.backtest.scores.some(({ tenor }) => tenor === history.tenors[2])).toBe(false);
  const { mean } = fitted.forecast(last);
  mean.forEach((value, cell) => expect(Number.isNaN(value)).toBe(cell % history.tenors.length === 2));
});

test("where two tenors are left, Nelson and Siegel say nothing and the ensemble goes on without them", async () => {
  const history = syntheticCurve(last + 1);
  const width = history.tenors.length;
  const values = history.values.map((value, cell) =>
    cell >= (last - 80) * width && cell % width > 1 ? Number.NaN : value,
  );
  const thin = { ...history, values };
  const mean = async (type: "NELSON_SIEGEL" | "ENSEMBLE") => {
    const fitted = FittedForecaster.fit(thin, trainingSpec({ type, refitEvery: 60 }));
    const [answer] = await runArtifact(fitted.toOnnx(), thin, [last]);
    expect(largestDifference(answer!.mean, fitted.forecast(last).mean)).toBeLessThan(1e-5);
    return [...answer!.mean.slice(0, width)];
  };
  expect(await mean("NELSON_SIEGEL")).toEqual(Array(width).fill(Number.NaN));
  const ensemble = await mean("ENSEMBLE");
  expect(ensemble.map(Number.isFinite)).toEqual(history.tenors.map((_, tenor) => tenor < 2));
});
