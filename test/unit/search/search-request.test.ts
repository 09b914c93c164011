import {
  assertQuery,
  searchDigest,
  toFacetKeys,
  toSearchCursor,
  toSearchPage,
} from "../../../src/modules/search/search-request.rules.js";
import { encodeCursor } from "../../../src/shared/pagination.js";

const unfiltered = { metadata: [], publishedFrom: null, publishedTo: null };
const digest = searchDigest({ collectionId: 1, query: "gas", mode: "HYBRID", filter: unfiltered });
const snapshot = { lastDocumentId: "9007199254740993", documentCount: 12, wordCount: 3e10 };
const position = { snapshot, indexId: 4, rank: 10, documentId: "77" };

test("a cursor keeps what the first page saw", () => {
  const after = toSearchCursor(digest, position);
  expect(toSearchPage({ first: 5, after }, digest)).toEqual({ first: 5, after: position });
});

test.each([
  ["query", { query: "power" }],
  ["mode", { mode: "LEXICAL" as const }],
  ["collection", { collectionId: 2 }],
  ["filter", { filter: { ...unfiltered, metadata: [{ key: "region", values: ["EU"] }] } }],
  ["dates", { filter: { ...unfiltered, publishedFrom: new Date(0) } }],
])("a cursor of another %s is refused", (_, change) => {
  const search = { collectionId: 1, query: "gas", mode: "HYBRID" as const, filter: unfiltered, ...change };
  const after = toSearchCursor(searchDigest(search), position);
  expect(() => toSearchPage({ after }, digest)).toThrow("after: is a cursor of another search");
});

test.each([
  ["a made-up text", "garbage"],
  ["a cursor of another list", encodeCursor(["wti"])],
  ["SQL for a number", encodeCursor([digest, 4, "1; DROP TABLE documents", 12, "3", 10, "77"])],
  ["a rank of 0", encodeCursor([digest, 4, "1", 12, "3", 0, "77"])],
])("%s is no cursor", (_, after) => {
  expect(() => toSearchPage({ after }, digest)).toThrow(/^after: /);
});

test("a ranking is paged through to the 1,000th", () => {
  const at = (rank: number) => toSearchCursor(digest, { ...position, rank });
  expect(toSearchPage({ after: at(999) }, digest).after?.rank).toBe(999);
  expect(() => toSearchPage({ after: at(1_000) }, digest)).toThrow(/^after: is beyond/);
});

test("a page has 10 results unless asked for, 100 at most", () => {
  expect(toSearchPage({}, digest)).toEqual({ first: 10 });
  expect(() => toSearchPage({ first: 101 }, digest)).toThrow(/^first: /);
  expect(() => toSearchPage({ first: -1 }, digest)).toThrow(/^first: /);
});

test("a query has 1 to 10,000 characters, whatever units they take", () => {
  expect(() => assertQuery(" \t\n")).toThrow(/^input.query: /);
  expect(() => assertQuery("x".repeat(10_000))).not.toThrow();
  expect(() => assertQuery("🔥".repeat(10_000))).not.toThrow();
  expect(() => assertQuery("x".repeat(10_001))).toThrow("at most 10,000 characters, not 10001");
});

test("facets are asked for once each, ten at most", () => {
  expect(toFacetKeys(["a", "b", "a"])).toEqual(["a", "b"]);
  expect(toFacetKeys(null)).toEqual([]);
  expect(() => toFacetKeys(Array.from({ length: 11 }, (_, i) => `k${i}`))).toThrow(/^input.facets: /);
});
