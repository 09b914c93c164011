import {
  countSegments,
  forecastSegment,
  segmentsOf,
} from "../../../src/modules/training/forecasting/backtest-segments.rules.js";
import type {
  ForecasterType,
  TrainingSpec,
} from "../../../src/modules/training/forecasting/forecaster.types.js";
import { trainForecaster } from "../../../src/modules/training/forecasting/train-forecaster.rules.js";
import { checkTrainingSpec } from "../../../src/modules/training/forecasting/training-spec.rules.js";
import { syntheticCurve, trainingSpec, withBlanks } from "./synthetic-curve.js";

const history = withBlanks(syntheticCurve(420));
const nothing = () => undefined;

const TYPES: ForecasterType[] = ["NELSON_SIEGEL", "FACTOR_VAR", "RIDGE", "GRADIENT_BOOSTING", "ENSEMBLE"];

test.each(TYPES)("a backtest of %s in segments is bit by bit the one in one go", (type) => {
  const spec = trainingSpec({ type, refitEvery: 7 });
  const whole = trainForecaster(history, spec, nothing);
  const of = 4;
  const segments = Array.from({ length: of }, (_, segment) =>
    forecastSegment(history, spec, { segment, of }, nothing),
  );
  const merged = trainForecaster(history, spec, nothing, segments);
  expect(Buffer.compare(merged.artifact, whole.artifact)).toBe(0);
  expect(merged).toEqual(whole);
});

test("segments follow each other from the first origin to the last, each with as many refits", () => {
  const spec = trainingSpec({ refitEvery: 3 });
  const window = checkTrainingSpec(spec, history);
  const segments = segmentsOf(spec, window, 5);
  expect(segments[0]!.from).toBe(window.firstOrigin);
  expect(segments.at(-1)!.to).toBe(window.to);
  segments.slice(1).forEach(({ from }, i) => expect(from).toBe(segments[i]!.to + 1));
});

test("only what is large is cut into segments", () => {
  const curve = syntheticCurve(3000);
  const count = (changes: Partial<TrainingSpec>) => {
    const spec = trainingSpec({ type: "ENSEMBLE", refitEvery: 1, horizons: [1, 5, 10, 21], ...changes });
    return countSegments(spec, curve, checkTrainingSpec(spec, curve), 10_000);
  };
  expect(count({})).toBeGreaterThan(2);
  expect(count({ refitEvery: 21 })).toBe(1);
  expect(count({ type: "RANDOM_WALK" })).toBe(1);
  expect(count({ type: "GRADIENT_BOOSTING", options: { trees: 500 } })).toBe(32);
});
