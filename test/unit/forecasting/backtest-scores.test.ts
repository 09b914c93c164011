import { FORECASTER_TYPES } from "../../../src/modules/training/forecasting/forecaster.types.js";
import type { CurveHistory } from "../../../src/modules/training/forecasting/forecaster.types.js";
import { trainForecaster } from "../../../src/modules/training/forecasting/train-forecaster.rules.js";
import { randomNumbers, syntheticCurve, trainingSpec } from "./synthetic-curve.js";

const silent = () => undefined;

test("the random walk's scores are those of the last quote, worked out one by one", () => {
  const history = syntheticCurve(300);
  const width = history.tenors.length;
  const { backtest } = trainForecaster(history, trainingSpec({ horizons: [5] }), silent);
  expect(backtest.origins).toBe(75);
  for (const [tenor, score] of backtest.scores.entries()) {
    const errors: number[] = [];
    for (let date = 225; date < 300; date++) {
      const [outcome, origin] = [date, date - 5].map((each) => history.values[each * width + tenor]!);
      errors.push(outcome! - origin!);
    }
    const mean = (values: number[]) => values.reduce((sum, each) => sum + each, 0) / values.length;
    expect(score.tenor).toBe(history.tenors[tenor]);
    expect(score.rmse).toBeCloseTo(Math.sqrt(mean(errors.map((error) => error ** 2))), 5);
    expect(score.mae).toBeCloseTo(mean(errors.map(Math.abs)), 5);
    expect(score.relativeToRandomWalk).toBe(1);
  }
});

test("blank outcomes are not scored, and origins count once however many horizons they serve", () => {
  const history = syntheticCurve(300);
  const width = history.tenors.length;
  const values = history.values.map((value, cell) => {
    const date = Math.floor(cell / width);
    return date >= 225 && date < 285 && cell % width === 0 ? Number.NaN : value;
  });
  const { backtest } = trainForecaster({ ...history, values }, trainingSpec(), silent);
  expect(backtest.origins).toBe(79);
  expect(backtest.scores).toHaveLength(2 * width);
});

/** A level that returns to 5 quickly: what the past knows is worth something here. */
function predictableCurve(): CurveHistory {
  const random = randomNumbers(21);
  const history = syntheticCurve(600);
  let level = 5;
  const values = history.dates.flatMap(() => {
    level += 0.2 * (5 - level) + 0.4 * (random() - 0.5);
    return history.tenors.map((_, j) => level + 0.3 * j + 0.02 * (random() - 0.5));
  });
  return { ...history, values: Float64Array.from(values) };
}

test.each(FORECASTER_TYPES.slice(1))("%s finds what there is to find, and its intervals hold", (type) => {
  const trained = trainForecaster(predictableCurve(), trainingSpec({ type, refitEvery: 60 }), silent);
  const metric = (name: string) => trained.metrics.find((each) => each.name === name)!.value;
  expect(metric("relative_rmse_h5")).toBeLessThan(0.95);
  expect(Math.abs(metric("coverage_h1") - 0.9)).toBeLessThan(0.06);
  expect(Math.abs(metric("coverage_h5") - 0.9)).toBeLessThan(0.09);
});

test("wider coverage gives wider intervals, and the seed matters only to the trees", () => {
  const history = predictableCurve();
  const coverageAt = (coverage: number) =>
    trainForecaster(history, trainingSpec({ coverage }), silent).metrics.find(
      ({ name }) => name === "coverage_h1",
    )!.value;
  expect(coverageAt(0.5)).toBeLessThan(coverageAt(0.8));
  expect(coverageAt(0.8)).toBeLessThan(coverageAt(0.95));
  const bytes = (type: "RIDGE" | "GRADIENT_BOOSTING", seed: number) =>
    Buffer.from(trainForecaster(history, trainingSpec({ type, seed, refitEvery: 100 }), silent).artifact);
  expect(bytes("RIDGE", 1).equals(bytes("RIDGE", 2))).toBe(true);
  expect(bytes("GRADIENT_BOOSTING", 1).equals(bytes("GRADIENT_BOOSTING", 2))).toBe(false);
});
