import { ndcg, recall } from "../../bench/ranking-measures.js";

const gains = new Map([
  ["a", 4],
  ["b", 1],
  ["c", 2],
]);

test("an ideal order scores 1, whatever follows it", () => {
  expect(ndcg(["a", "c", "b", "x"], gains, { depth: 10 })).toBe(1);
  expect(recall(["x", "b", "a", "c"], gains, { depth: 10 })).toBe(1);
});

test("gains are linear and discounted by the logarithm of the rank", () => {
  const best = 4 + 2 / Math.log2(3) + 1 / 2;
  expect(ndcg(["x", "b", "a"], gains, { depth: 10 })).toBeCloseTo((1 / Math.log2(3) + 4 / 2) / best, 12);
});

test("what lies below the depth counts for nothing, also in the ideal", () => {
  expect(ndcg(["a", "x", "c"], gains, { depth: 1 })).toBe(1);
  expect(ndcg(["x", "a"], gains, { depth: 1 })).toBe(0);
  expect(recall(["x", "a", "b"], gains, { depth: 2 })).toBeCloseTo(1 / 3, 12);
});

test("a query without anything relevant scores 0", () => {
  expect(ndcg(["a"], new Map(), { depth: 10 })).toBe(0);
  expect(recall(["a"], new Map(), { depth: 10 })).toBe(0);
});
