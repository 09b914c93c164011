import { CurveCompletion } from "../../../src/modules/training/forecasting/curve-completion.rules.js";
import { curveHistoryDigest } from "../../../src/modules/training/forecasting/curve-history-digest.rules.js";
import { ensembleWeights } from "../../../src/modules/training/forecasting/ensemble-weights.rules.js";
import { maskedLeastSquares } from "../../../src/modules/training/forecasting/masked-least-squares.rules.js";
import {
  binRows,
  leafOf,
  TreeGrower,
} from "../../../src/modules/training/forecasting/regression-tree.rules.js";
import { syntheticCurve } from "./synthetic-curve.js";

test("a blank is filled in months between its neighbours, and flat beyond the outermost", () => {
  const completion = new CurveCompletion(Float64Array.of(1, 12, 24, 60, 120));
  const filled = completion.complete(Float64Array.of(NaN, 2, NaN, 6, NaN));
  expect([...filled]).toEqual([2, 2, 3, 6, 6]);
  expect([...completion.complete(new Float64Array(5).fill(NaN))]).toEqual(Array(5).fill(NaN));
});

test("masked least squares leaves blanks out and refuses to guess what is not identified", () => {
  // y = 1 + 2 x at x = 0, 1, 3; the blank at x = 2 would have spoilt it.
  const loadings = Float64Array.of(1, 0, 1, 1, 1, 2, 1, 3);
  const [intercept, slope] = maskedLeastSquares(loadings, 2, Float64Array.of(1, 3, NaN, 7));
  expect(intercept).toBeCloseTo(1, 12);
  expect(slope).toBeCloseTo(2, 12);
  expect([...maskedLeastSquares(loadings, 2, Float64Array.of(NaN, 3, NaN, NaN))]).toEqual([NaN, NaN]);
});

test("weights go to the smaller error, never below zero, and add up to one", () => {
  // Independent errors of variance 1 and 4: weights 4/5 and 1/5.
  const [small, large] = ensembleWeights(Float64Array.of(1, 0, 0, 4), 2, 0);
  expect(small).toBeCloseTo(0.8, 6);
  expect(large).toBeCloseTo(0.2, 6);
  // The second is the first plus noise: alone it would get a negative weight.
  expect([...ensembleWeights(Float64Array.of(1, 2, 2, 5), 2, 0)]).toEqual([1, 0]);
  expect([...ensembleWeights(new Float64Array(4), 2, 0.02)]).toEqual([1, 0]);
});

test("a tree finds the step in its data and its leaves hold the means on both sides", () => {
  const values = Float32Array.from({ length: 200 }, (_, i) => (i % 2 === 0 ? i / 2 : 7));
  const residuals = Float64Array.from({ length: 100 }, (_, row) => (row < 40 ? -1 : 3));
  const data = binRows(values, 2);
  const shape = { depth: 2, leastRows: 5, shrinkage: 0, learningRate: 1 };
  const tree = new TreeGrower(data, residuals, shape).grow(Int32Array.from({ length: 100 }, (_, row) => row));
  expect(tree.feature[0]).toBe(0);
  expect(leafOf(tree, Float32Array.of(10, 7))[0]).toBeCloseTo(-1, 6);
  expect(leafOf(tree, Float32Array.of(90, 7))[0]).toBeCloseTo(3, 6);
});

test("the digest changes with every number, and not with the bits of a NaN", () => {
  const history = syntheticCurve(10);
  const blank = { ...history, values: history.values.with(3, NaN) };
  const otherNaN = { ...history, values: history.values.slice() };
  new Uint32Array(otherNaN.values.buffer).set([1, 0xfff80000], 6);
  expect(curveHistoryDigest(history)).toMatch(/^[0-9a-f]{64}$/);
  expect(curveHistoryDigest(structuredClone(history))).toBe(curveHistoryDigest(history));
  expect(curveHistoryDigest(blank)).not.toBe(curveHistoryDigest(history));
  expect(curveHistoryDigest(otherNaN)).toBe(curveHistoryDigest(blank));
});
