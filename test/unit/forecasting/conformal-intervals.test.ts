import {
  ConformalIntervals,
  scoresNeeded,
} from "../../../src/modules/training/forecasting/conformal-intervals.rules.js";

test("the radius is the conformal quantile of the scores", () => {
  const intervals = new ConformalIntervals(1, 1, 0.9);
  for (const score of [7, 3, 1, 9, 5, 8, 2, 6, 4]) intervals.record(0, 0, score);
  // Rank ceil(0.9 * 10) = 9 of 9.
  expect(intervals.radii()).toEqual(Float64Array.of(9));
  for (let score = 10; score <= 19; score++) intervals.record(0, 0, score);
  // Rank ceil(0.9 * 20) = 18 of 19.
  expect(intervals.radii()).toEqual(Float64Array.of(18));
});

test("a tenor with too few scores borrows the widest of its horizon", () => {
  const intervals = new ConformalIntervals(2, 2, 0.9);
  for (let score = 1; score <= 99; score++) intervals.record(0, 0, score);
  intervals.record(0, 1, 1000);
  intervals.record(1, 0, 5);
  intervals.record(1, 0, 4);
  expect(intervals.radii()).toEqual(Float64Array.of(90, 90, 5, 0));
});

test.each([
  [0.5, 1],
  [0.8, 4],
  [0.9, 9],
  [0.95, 19],
  [0.99, 99],
])("coverage %d takes %d scores", (coverage, needed) => expect(scoresNeeded(coverage)).toBe(needed));
