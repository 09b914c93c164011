import { tenorMonths } from "../../../src/shared/tenor.js";
import { checkTrainingSpec } from "../../../src/modules/training/forecasting/training-spec.rules.js";
import type {
  CurveHistory,
  TrainingSpec,
} from "../../../src/modules/training/forecasting/forecaster.types.js";
import { syntheticCurve, trainingSpec } from "./synthetic-curve.js";

const history = syntheticCurve(400);

function refusal(
  changes: Partial<TrainingSpec>,
  of: CurveHistory = history,
): { field?: string; message: string } {
  try {
    checkTrainingSpec(trainingSpec(changes), of);
  } catch (error) {
    return error as { field?: string; message: string };
  }
  throw new Error("It was accepted");
}

test.each<[Partial<TrainingSpec>, string]>([
  [{ horizons: [] }, "input.horizons"],
  [{ horizons: [1, 0] }, "input.horizons.1"],
  [{ horizons: [5, 1, 5] }, "input.horizons.2"],
  [{ horizons: [1.5] }, "input.horizons.0"],
  [{ refitEvery: 0 }, "input.refitEvery"],
  [{ coverage: 1 }, "input.coverage"],
  [{ coverage: Number.NaN }, "input.coverage"],
  [{ seed: 0.5 }, "input.seed"],
  [{ from: "2015-02-30" }, "input.from"],
  [{ to: "yesterday" }, "input.to"],
  [{ backtestFrom: "2015-13-01" }, "input.backtestFrom"],
  [{ from: "2016-01-01", to: "2015-06-01" }, "input.from"],
  [{ type: "NELSON_SIEGEL", options: { decay: -1 } }, "input.options.decay"],
  [{ type: "GRADIENT_BOOSTING", options: { trees: 2.5 } }, "input.options.trees"],
  [{ type: "GRADIENT_BOOSTING", options: { depth: 40 } }, "input.options.depth"],
  [{ type: "RIDGE", options: { lambda: "1" } }, "input.options.lambda"],
])("%j is refused at %s", (changes, field) => {
  expect(refusal(changes)).toMatchObject({ field, code: "INVALID_INPUT" });
});

test("an option that a type does not have is refused with those it has", () => {
  const { field, message } = refusal({ type: "FACTOR_VAR", options: { lag: 2 } });
  expect(field).toBe("input.options.lag");
  expect(message).toContain("it takes factors, lags");
  expect(refusal({ options: { decay: 1 } }).message).toContain("it takes none");
});

test("too little data is refused with how much there is and how much is needed", () => {
  expect(refusal({}, syntheticCurve(60)).message).toMatch(
    /^input\.curve: 60 dates with quotes, but \d+ are needed/,
  );
  expect(refusal({ from: history.dates[350] }).message).toMatch(/^input\.from: 50 dates with quotes, but/);
  const early = refusal({ backtestFrom: history.dates[20] });
  expect(early.message).toMatch(
    /^input\.backtestFrom: 20 dates with quotes before the backtest, but \d+ are/,
  );
  const late = refusal({ backtestFrom: history.dates[395] });
  expect(late.message).toMatch(/^input\.backtestFrom: 5 dates with quotes in the backtest, but 9 are needed/);
  expect(refusal({ backtestFrom: "2030-01-01" }).field).toBe("input.backtestFrom");
  expect(refusal({ to: "1999-01-01" }).message).toMatch(/^input\.to: 0 dates with quotes/);
});

test("what it says is needed is enough", () => {
  const needed = Number(/but (\d+) are needed/.exec(refusal({}, syntheticCurve(60)).message)![1]);
  expect(() => checkTrainingSpec(trainingSpec(), syntheticCurve(needed))).not.toThrow();
  expect(refusal({}, syntheticCurve(needed - 1)).field).toBe("input.curve");
});

test("dates on which nothing was quoted do not count as data", () => {
  const values = history.values.map((value, cell) =>
    cell < 360 * history.tenors.length ? Number.NaN : value,
  );
  expect(refusal({}, { ...history, values }).message).toMatch(/^input\.curve: 40 dates with quotes, but/);
});

test("a malformed history is refused by what is wrong with it", () => {
  const twice = { ...history, tenors: history.tenors.with(1, "P3M") };
  expect(refusal({}, twice).message).toBe('tenors: "P3M" is there twice');
  const unordered = { ...history, dates: history.dates.with(1, history.dates[0]!) };
  expect(refusal({}, unordered).field).toBe("dates");
  const infinite = { ...history, values: history.values.with(9, Number.POSITIVE_INFINITY) };
  expect(refusal({}, infinite).message).toBe(
    `values: ${history.dates[1]} P1Y is beyond the range of float32`,
  );
  const huge = { ...history, values: history.values.with(9, 1e308) };
  expect(refusal({}, huge).message).toBe(`values: ${history.dates[1]} P1Y is beyond the range of float32`);
  expect(refusal({}, { ...history, values: new Float64Array(3) }).field).toBe("values");
});

test("two tenors are too few for Nelson and Siegel, and enough for the others", () => {
  const short = syntheticCurve(400, 7, ["P1Y", "P10Y"]);
  expect(refusal({ type: "NELSON_SIEGEL" }, short).field).toBe("input.type");
  expect(() => checkTrainingSpec(trainingSpec({ type: "ENSEMBLE" }), short)).not.toThrow();
});

test("the window follows from and to, and the backtest starts at three quarters of it", () => {
  const window = checkTrainingSpec(trainingSpec(), history);
  expect(window).toMatchObject({ from: 0, to: 399, backtestFrom: 300 });
  const spec = trainingSpec({
    from: history.dates[100],
    to: history.dates[299],
    backtestFrom: history.dates[250],
  });
  expect(checkTrainingSpec(spec, history)).toMatchObject({ from: 100, to: 299, backtestFrom: 250 });
});

test.each([
  ["P1M", 1],
  ["P2Y", 24],
  ["P1Y6M", 18],
  ["P1.5M", 1.5],
  ["M12", 12],
])("%s is %d months", (tenor, months) => expect(tenorMonths(tenor)).toBe(months));

test.each(["", "P", "2Y", "PT5M", "M0", "P0M", "M-1"])("%j is not a tenor", (tenor) =>
  expect(() => tenorMonths(tenor)).toThrow(/neither a duration/),
);
