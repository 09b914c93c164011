import { CurvePanel } from "../../../src/modules/training/forecasting/curve-panel.rules.js";
import {
  NelsonSiegel,
  nelsonSiegelLoadings,
} from "../../../src/modules/training/forecasting/nelson-siegel.rules.js";
import { businessDays } from "./synthetic-curve.js";

const DECAY = 0.1;
const TENORS = ["P10M", "P20M", "P40M"];

// At decay 0.1 these maturities make lambda * tau 1, 2 and 4:
//   (1 - e^-1) / 1 = 0.6321205588, less e^-1 = 0.2642411177
//   (1 - e^-2) / 2 = 0.4323323584, less e^-2 = 0.2969970751
//   (1 - e^-4) / 4 = 0.2454210903, less e^-4 = 0.2271054514
const SLOPE_LOADINGS = [0.6321205588, 0.4323323584, 0.2454210903];
const CURVATURE_LOADINGS = [0.2642411177, 0.2969970751, 0.2271054514];

// Five dates of factors, each regressed on its own lag by hand:
//   level      x 1 2 4 3, y 2 4 3 5: means 2.5 and 3.5, Sxx 5, Sxy 2, slope 0.4, intercept 2.5; from 5: 4.5
//   slope      x -1 -2 -1 0, y -2 -1 0 -1: means -1 and -1, Sxx 2, Sxy 0, slope 0, intercept -1; from -1: -1
//   curvature  x 0 2 1 3, y 2 1 3 2: means 1.5 and 2, Sxx 5, Sxy -1, slope -0.2, intercept 2.3; from 2: 1.9
const LEVELS = [1, 2, 4, 3, 5];
const SLOPES = [-1, -2, -1, 0, -1];
const CURVATURES = [0, 2, 1, 3, 2];
// 4.5 - loading + 1.9 * loading, tenor by tenor
const FORECAST = [4.3699375648, 4.6319620843, 4.6860792674];

function handMadePanel(tenors = TENORS, extra: (tenor: number) => number = () => 0): CurvePanel {
  const values = LEVELS.flatMap((level, date) =>
    tenors.map(
      (_, j) =>
        level + SLOPES[date]! * SLOPE_LOADINGS[j]! + CURVATURES[date]! * CURVATURE_LOADINGS[j]! + extra(j),
    ),
  );
  return new CurvePanel({ kind: "YIELD", dates: businessDays(5), tenors, values: Float64Array.from(values) });
}

function fitted(panel: CurvePanel, decay?: number): NelsonSiegel {
  const forecaster = new NelsonSiegel(panel, [1], decay);
  for (let date = 0; date < panel.length; date++) forecaster.observe(date);
  forecaster.refit();
  return forecaster;
}

test("the loadings are those of Diebold and Li", () => {
  const loadings = nelsonSiegelLoadings([10, 20, 40], DECAY);
  TENORS.forEach((_, j) => {
    expect(loadings[j * 3]).toBe(1);
    expect(loadings[j * 3 + 1]).toBeCloseTo(SLOPE_LOADINGS[j]!, 9);
    expect(loadings[j * 3 + 2]).toBeCloseTo(CURVATURE_LOADINGS[j]!, 9);
  });
});

test("the curvature of decay 0.0609 peaks at a maturity of 30 months", () => {
  const months = Array.from({ length: 120 }, (_, i) => i + 1);
  const loadings = nelsonSiegelLoadings(months, 0.0609);
  const curvatures = months.map((_, j) => loadings[j * 3 + 2]!);
  expect(Math.abs(months[curvatures.indexOf(Math.max(...curvatures))]! - 30)).toBeLessThanOrEqual(1);
});

test("a curve of five dates is forecast as worked out by hand", () => {
  const forecast = fitted(handMadePanel(), DECAY).forecast(4);
  FORECAST.forEach((expected, j) => expect(forecast[j]).toBeCloseTo(expected, 5));
});

test("horizon 2 regresses each factor on its value two dates before", () => {
  // Level: x 1 2 4, y 4 3 5: means 7/3 and 4, Sxx 14/3, Sxy 2, slope 3/7, intercept 3; from 5: 36/7.
  // Slope: x -1 -2 -1, y -1 0 -1: means -4/3 and -2/3, Sxx 2/3, Sxy -2/3, slope -1, intercept -2; from -1: -1.
  // Curvature: x 0 2 1, y 1 3 2: means 1 and 2, Sxx 2, Sxy 2, slope 1, intercept 1; from 2: 3.
  const panel = handMadePanel();
  const forecaster = new NelsonSiegel(panel, [2], DECAY);
  for (let date = 0; date < panel.length; date++) forecaster.observe(date);
  forecaster.refit();
  const forecast = forecaster.forecast(4);
  TENORS.forEach((_, j) => {
    const expected = 36 / 7 - SLOPE_LOADINGS[j]! + 3 * CURVATURE_LOADINGS[j]!;
    expect(forecast[j]).toBeCloseTo(expected, 4);
  });
});

test("a decay that is not given is chosen by the fit of past curves", () => {
  const months = [3, 6, 12, 24, 36, 60, 84, 120];
  const loadings = nelsonSiegelLoadings(months, 0.0609);
  const values = LEVELS.flatMap((level, date) =>
    months.map(
      (_, j) => level + SLOPES[date]! * loadings[j * 3 + 1]! + CURVATURES[date]! * loadings[j * 3 + 2]!,
    ),
  );
  const tenors = months.map((each) => `P${each}M`);
  const history = {
    kind: "YIELD",
    dates: businessDays(5),
    tenors,
    values: Float64Array.from(values),
  } as const;
  expect(fitted(new CurvePanel(history)).describe()).toEqual([{ name: "decay", value: "0.0609" }]);
});
