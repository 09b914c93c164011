import { numberToHalf } from "../../../src/shared/half-float.js";
import { poolVectors } from "../../../src/shared/pool-vectors.js";
import type { PoolingStep } from "../../../src/shared/pool-vectors.js";
import type { TensorValue } from "../../../src/shared/tensor.js";

/** Two texts of 3 and 1 tokens, width 2; what lies behind the second one's token is padding. */
const numbers = [1, 2, 3, 4, 5, 9, 3, 4, 100, 100, 100, 100];
const output: TensorValue = { type: "FLOAT32", shape: [2, 3, 2], data: Float32Array.from(numbers) };
const step: PoolingStep = {
  output: "y",
  pooling: "MEAN",
  lengths: [3, 1],
  dimensions: 2,
  normalize: false,
};

const pooled = (change: Partial<PoolingStep>, value = output) => [
  ...poolVectors(value, { ...step, ...change }),
];

test.each([
  ["MEAN", [3, 5, 3, 4]],
  ["CLS", [1, 2, 3, 4]],
  ["LAST", [5, 9, 3, 4]],
] as const)("%s leaves the padding out", (pooling, expected) => {
  expect(pooled({ pooling })).toEqual(expected);
});

test("NONE takes what the graph has pooled", () => {
  const value: TensorValue = { type: "FLOAT32", shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) };
  expect(pooled({ pooling: "NONE" }, value)).toEqual([1, 2, 3, 4]);
});

test("the first dimensions are kept, and scaled after that", () => {
  expect(pooled({ pooling: "LAST", dimensions: 1 })).toEqual([5, 3]);
  expect(pooled({ pooling: "LAST", dimensions: 1, normalize: true })).toEqual([1, 1]);
});

test("unit length; a vector of zeros stays one", () => {
  const vectors = pooled({ pooling: "LAST", lengths: [1, 1], normalize: true });
  expect(vectors[2]).toBeCloseTo(0.6, 6);
  expect(vectors[3]).toBeCloseTo(0.8, 6);
  const zeros: TensorValue = { type: "FLOAT32", shape: [1, 1, 2], data: new Float32Array(2) };
  expect(pooled({ lengths: [1], normalize: true }, zeros)).toEqual([0, 0]);
});

test("float16 and float64 are read as numbers", () => {
  const half: TensorValue = { ...output, type: "FLOAT16", data: Uint16Array.from(numbers, numberToHalf) };
  const double: TensorValue = { ...output, type: "FLOAT64", data: Float64Array.from(numbers) };
  for (const value of [half, double]) expect(pooled({}, value)).toEqual([3, 5, 3, 4]);
});
