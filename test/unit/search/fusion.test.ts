import { fuse, leadersOf, withFeedback } from "../../../src/modules/search/fusion.rules.js";
import type { Candidate } from "../../../src/modules/search/fusion.rules.js";

/** Scores by document: the id is the place in the list, from 1. */
function candidates(
  scores: readonly (readonly [lexical: number | null, semantic: number | null])[],
): Candidate[] {
  return scores.map(([lexical, semantic], i) => ({ documentId: String(i + 1), lexical, semantic }));
}

const order = (fused: { documentId: string }[]) => fused.map(({ documentId }) => documentId);
const flat = Array.from({ length: 20 }, (_, i) => i);

test("what both kinds rank first is first", () => {
  const fused = fuse(
    candidates([
      [9, 0.9],
      [5, 0.4],
      [1, 0.5],
    ]),
  );
  expect(order(fused)[0]).toBe("1");
  expect(fused[0]!.score).toBeCloseTo(1, 12);
});

test("the list whose best stands out decides", () => {
  // One document holds a rare word; by meaning all are about as near, in the opposite order.
  const rare = flat.map((i) => [i === 19 ? 12 : 3, 0.4 - i / 100] as const);
  expect(order(fuse(candidates(rare)))[0]).toBe("20");
  // One passage means the very thing; words are spread evenly, in the opposite order.
  const meant = flat.map((i) => [10 - i / 4, i === 19 ? 0.95 : 0.3] as const);
  expect(order(fuse(candidates(meant)))[0]).toBe("20");
});

test("without a word, meaning alone ranks; without vectors, words alone", () => {
  expect(
    order(
      fuse(
        candidates([
          [null, 0.2],
          [null, 0.9],
          [null, 0.5],
        ]),
      ),
    ),
  ).toEqual(["2", "3", "1"]);
  expect(
    order(
      fuse(
        candidates([
          [2, null],
          [9, null],
          [5, null],
        ]),
      ),
    ),
  ).toEqual(["2", "3", "1"]);
});

test("what is not embedded yet is not lost", () => {
  const fused = fuse(
    candidates([
      [1, 0.9],
      [9, null],
      [1, 0.2],
    ]),
  );
  expect(order(fused)).toContain("2");
  expect(fused.every(({ score }) => Number.isFinite(score))).toBe(true);
});

test("equal scores stand in the order of their ids, which are numbers", () => {
  const fused = fuse(["10", "9", "100"].map((documentId) => ({ documentId, lexical: 1, semantic: 0.5 })));
  expect(order(fused)).toEqual(["9", "10", "100"]);
});

test("one document alone scores 1, and none gives none", () => {
  expect(fuse(candidates([[3, 0.4]]))).toEqual([{ documentId: "1", score: 1 }]);
  expect(fuse([])).toEqual([]);
});

test("feedback is taken from what both kinds like, and leaves alone what has no vector", () => {
  const found = candidates([
    [9, 0.8],
    [null, 0.9],
    [8, 0.1],
    [1, null],
  ]);
  const leaders = leadersOf(found, fuse(found));
  expect(leaders.map(({ documentId }) => documentId)).toEqual(["1"]);
  expect(leaders[0]!.weight).toBeCloseTo((0.8 - 0.1) / (0.9 - 0.1) / 3, 12);
  const likeness = new Map([
    ["1", 0.3],
    ["2", 0.1],
    ["4", 0.3],
  ]);
  expect(withFeedback(found, likeness).map(({ semantic }) => semantic)).toEqual([1.1, 1, 0.1, null]);
});
