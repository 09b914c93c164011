import {
  extrapolateDocuments,
  inverseDocumentFrequency,
  planTerms,
} from "../../../src/modules/search/bm25.rules.js";

test("a rarer word weighs more, and a word of every document still a little", () => {
  expect(inverseDocumentFrequency(1, 1_000)).toBeCloseTo(Math.log(1 + 999.5 / 1.5), 12);
  expect(inverseDocumentFrequency(1_000, 1_000)).toBeGreaterThan(0);
  expect(inverseDocumentFrequency(10, 1_000)).toBeGreaterThan(inverseDocumentFrequency(20, 1_000));
});

describe("the words of a query", () => {
  const terms = [
    { lexeme: "the", documents: 900_000 },
    { lexeme: "gas", documents: 40_000 },
    { lexeme: "caverns", documents: 200 },
    { lexeme: "absent", documents: 0 },
  ];

  test("all lead where they are affordable, the rarest first", () => {
    const { leading, common, commonMost } = planTerms(terms, 1_000_000, 1_000_000);
    expect(leading.map(({ lexeme }) => lexeme)).toEqual(["caverns", "gas", "the"]);
    expect([common, commonMost]).toEqual([[], 0]);
  });

  test("the common ones only add beyond the budget, by no more than is said", () => {
    const { leading, common, commonMost } = planTerms(terms, 1_000_000, 50_000);
    expect(leading.map(({ lexeme }) => lexeme)).toEqual(["caverns", "gas"]);
    expect(common.map(({ lexeme }) => lexeme)).toEqual(["the"]);
    // The weight of a frequency never reaches k1 + 1.
    expect(commonMost).toBeCloseTo(common[0]!.idf * 2.2, 12);
  });

  test("one always leads", () => {
    const { leading } = planTerms([terms[0]!], 1_000_000, 50_000);
    expect(leading.map(({ lexeme }) => lexeme)).toEqual(["the"]);
  });
});

test("the documents of a common word are told from where the counted ones lie", () => {
  const ids = { firstId: 1, countedToId: 20_000, lastId: 1_000_000 };
  expect(extrapolateDocuments(10_000, ids, 1_000_000)).toBe(500_000);
  expect(extrapolateDocuments(10_000, ids, 300_000)).toBe(300_000);
  expect(extrapolateDocuments(10_000, { ...ids, lastId: 20_000 }, 1_000_000)).toBe(10_000);
});
