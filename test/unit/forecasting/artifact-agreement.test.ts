import { FittedForecaster } from "../../../src/modules/training/forecasting/fitted-forecaster.rules.js";
import { FORECASTER_TYPES } from "../../../src/modules/training/forecasting/forecaster.types.js";
import { trainForecaster } from "../../../src/modules/training/forecasting/train-forecaster.rules.js";
import { largestDifference, runArtifact } from "./artifact-run.js";
import { syntheticCurve, trainingSpec, withBlanks } from "./synthetic-curve.js";

const history = withBlanks(syntheticCurve(420));

describe.each(FORECASTER_TYPES)("the artifact of %s", (type) => {
  const spec = trainingSpec({ type, refitEvery: 40 });
  const fitted = FittedForecaster.fit(history, spec);

  test("forecasts in any ONNX runtime what the fit forecasts here, blanks and batches included", async () => {
    const origins = [419, 20, 200, 390, 160];
    const answers = await runArtifact(fitted.toOnnx(), history, origins);
    origins.forEach((origin, i) => {
      const expected = fitted.forecast(origin);
      expect(largestDifference(answers[i]!.mean, expected.mean)).toBeLessThan(2e-6);
      expect(largestDifference(answers[i]!.lower, expected.lower)).toBeLessThan(2e-6);
      expect(largestDifference(answers[i]!.upper, expected.upper)).toBeLessThan(2e-6);
    });
  });

  test("answers NaN for exactly the tenors without a quote inside the window, and orders its bounds", async () => {
    const origin = 200;
    const [answer] = await runArtifact(fitted.toOnnx(), history, [origin]);
    const width = history.tenors.length;
    answer!.mean.forEach((mean, cell) => {
      const blank = cell % width === 1 || cell % width === width - 1;
      expect(Number.isNaN(mean)).toBe(blank);
      if (blank) return;
      expect(answer!.lower[cell]!).toBeLessThan(mean);
      expect(answer!.upper[cell]!).toBeGreaterThan(mean);
    });
  });

  test("is the same to the byte when trained again", () => {
    const first = trainForecaster(history, spec, () => undefined);
    const again = trainForecaster(structuredClone(history), spec, () => undefined);
    expect(Buffer.compare(first.artifact, again.artifact)).toBe(0);
    expect(again.backtest).toEqual(first.backtest);
  });
});
