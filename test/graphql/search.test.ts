import { createCollection, deleteDocuments, endedJob, ingest } from "../support/documents.js";
import type { DocumentInput } from "../support/documents.js";
import { trainedEmbedder } from "../support/embedder-training.js";
import { marketNotes } from "../support/market-notes.js";
import { metric } from "../support/metrics.js";
import { refusalOf, startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";
import { promote } from "../support/registry.js";
import { reindex, servedBy } from "../support/reindexing.js";
import { askSearch, keysOf, search } from "../support/searching.js";
import type { FoundDocument, Search } from "../support/searching.js";

const MODES = ["LEXICAL", "SEMANTIC", "HYBRID"] as const;
const QUERY = "European gas inventories before the deadline";

let platform: Platform;

beforeAll(async () => {
  platform = await startPlatform();
  await createCollection(platform, { name: "notes" });
  await ingested("notes", marketNotes());
  const { version } = await trainedEmbedder(platform, {
    model: "learned",
    collection: "notes",
    dimensions: 64,
  });
  await promote(platform, { model: "learned", number: version!.number });
  await createCollection(platform, { name: "words", language: "english" });
  await ingested("words", WORDS);
  await platform.query(
    `mutation { setCollectionEmbedder(input: { collection: "notes", embedder: "learned" }) { collection { name } } }`,
  );
  await servedBy(platform, "notes", "learned", version!.number);
});

afterAll(() => platform.remove());

/** Never embedded. */
const WORDS: DocumentInput[] = [
  {
    key: "caverns",
    title: "Caverns",
    text: "Gas caverns fill. A cavern is a store.",
    metadata: { region: ["EU", "UK"], level: 3 },
  },
  {
    key: "pipes",
    title: null,
    text: "Pipes carry gas.",
    metadata: { region: "EU", note: null },
    publishedAt: "2024-03-01T00:00:00Z",
  },
  {
    key: "power",
    title: "Power",
    text: "Power is not stored, power is used.",
    metadata: { region: "US" },
    publishedAt: "2024-06-30T12:00:00Z",
  },
  { key: "markup", title: null, text: `<b onclick="x()">Coal</b> & <em>coal</em> 🔥`, metadata: {} },
];

async function ingested(collection: string, documents: DocumentInput[]): Promise<void> {
  const { job } = await ingest(platform, collection, documents);
  const { state, error } = await endedJob(platform, job.id);
  if (state !== "COMPLETED") throw new Error(`${state}: ${error}`);
}

const find = (input: Record<string, unknown>, page = {}) =>
  search(platform, { collection: "notes", query: QUERY, ...input }, page);
const inWords = (input: Record<string, unknown>, page = {}) =>
  search(platform, { collection: "words", mode: "LEXICAL", ...input }, page);

describe("every mode", () => {
  test.each(MODES)("%s finds what was written about, best first", async (mode) => {
    const found = await find({ mode });
    expect(keysOf(found).slice(0, 3)).toContain("storage-full-early");
    expect(found.plan).toMatchObject({ mode, exhausted: false });
    expect(found.plan.tookMs).toBeGreaterThan(0);
    const scores = found.edges.map(({ score }) => score);
    expect(scores).toEqual(scores.toSorted((a, b) => b - a));
    expect(scores.every(Number.isFinite)).toBe(true);
  });

  test.each(MODES)("%s gives the same in pages as at once", async (mode) => {
    const atOnce = await find({ mode }, { first: 60 });
    const paged: string[] = [];
    let after: string | null = null;
    while (paged.length < 60) {
      const page: Search = await find({ mode }, { first: 7, after });
      expect(page.pageInfo.hasPreviousPage).toBe(after !== null);
      paged.push(...keysOf(page));
      after = page.pageInfo.endCursor;
    }
    expect(paged.slice(0, 60)).toEqual(keysOf(atOnce));
    expect(new Set(paged).size).toBe(paged.length);
  });

  test.each([4, 10, 40])(
    "HYBRID in pages of %i gives each document once, also far behind the first",
    async (first) => {
      const query = "gas power carbon price market demand supply wind storage";
      const found: FoundDocument[] = [];
      let after: string | null = null;
      do {
        const page: Search = await find({ query }, { first, after });
        found.push(...page.edges);
        after = page.pageInfo.hasNextPage ? page.pageInfo.endCursor : null;
      } while (after !== null);
      const keys = found.map(({ node }) => node.key);
      expect(new Set(keys).size).toBe(keys.length);
      expect(keys.toSorted()).toEqual(
        marketNotes()
          .map(({ key }) => key)
          .toSorted(),
      );
      const scores = found.map(({ score }) => score);
      expect(scores).toEqual(scores.toSorted((a, b) => b - a));
    },
  );

  test.each(MODES)("%s says when there are no more", async (mode) => {
    const all = await find({ mode, filter: { metadata: { commodity: "weather" } } }, { first: 100 });
    expect(all.plan.exhausted).toBe(true);
    expect(all.pageInfo.hasNextPage).toBe(false);
    const few = await find({ mode }, { first: 3 });
    expect([few.plan.exhausted, few.pageInfo.hasNextPage]).toEqual([false, true]);
  });

  test("HYBRID tells the rank by either kind", async () => {
    const [lexical, semantic] = [await find({ mode: "LEXICAL" }), await find({ mode: "SEMANTIC" })];
    const hybrid = await find({}, { first: 100 });
    expect(hybrid.plan.mode).toBe("HYBRID");
    const ranks = new Map(hybrid.edges.map((edge) => [edge.node.key, edge]));
    keysOf(lexical).forEach((key, i) => expect(ranks.get(key)!.lexicalRank).toBe(i + 1));
    keysOf(semantic).forEach((key, i) => expect(ranks.get(key)!.semanticRank).toBe(i + 1));
    expect(lexical.edges[0]).toMatchObject({ lexicalRank: 1, semanticRank: null });
    expect(semantic.edges[0]).toMatchObject({ lexicalRank: null, semanticRank: 1 });
  });

  test("a first of 0 gives no result, and facets still", async () => {
    const { edges, facets } = await find({ facets: ["commodity"] }, { first: 0 });
    expect(edges).toEqual([]);
    expect(facets[0]!.values.length).toBeGreaterThan(1);
  });
});

describe("words", () => {
  test("are ranked by BM25 over title and text together, in the collection's language", async () => {
    const { edges } = await inWords({ query: "the caverns of gas" });
    // Without stop words the four have 6, 3, 5 and, with its markup, 8 words; one holds "cavern" thrice, two hold "gas".
    const mean = (6 + 3 + 5 + 8) / 4;
    const idf = (holding: number) => Math.log(1 + (4 - holding + 0.5) / (holding + 0.5));
    const weight = (frequency: number, length: number) =>
      (frequency * 2.2) / (frequency + 1.2 * (0.25 + (0.75 * length) / mean));
    expect(edges.map(({ node }) => node.key)).toEqual(["caverns", "pipes"]);
    expect(edges[0]!.score).toBeCloseTo(idf(1) * weight(3, 6) + idf(2) * weight(1, 6), 5);
    expect(edges[1]!.score).toBeCloseTo(idf(2) * weight(1, 3), 5);
  });

  test("that are all stop words find nothing, while their meaning is asked for all the same", async () => {
    const { edges, plan } = await find({ query: "what is the", mode: "LEXICAL" });
    expect([edges, plan.exhausted]).toEqual([[], true]);
    expect((await find({ query: "what is the", mode: "SEMANTIC" })).plan.mode).toBe("SEMANTIC");
    expect((await find({ query: "what is the" })).plan.mode).toBe("HYBRID");
  });

  test("are all that a collection without an embedder has", async () => {
    const { plan, edges } = await inWords({ query: "gas", mode: "HYBRID" });
    expect(plan).toMatchObject({
      mode: "LEXICAL",
      strategy: "lexical, nothing is embedded",
      exhausted: true,
    });
    expect(edges).toHaveLength(2);
    const refused = await askSearch(platform, { collection: "words", query: "gas", mode: "SEMANTIC" });
    expect(refusalOf(refused)).toBe("PRECONDITION_FAILED input.mode");
    expect(refused.errors![0]!.message).toContain("setCollectionEmbedder");
  });
});

describe("filters", () => {
  const all = "gas power coal";

  test.each<[string, object, string[]]>([
    ["a value", { metadata: { region: "US" } }, ["power"]],
    ["one of a list that a document has", { metadata: { region: "EU" } }, ["pipes"]],
    ["any of several", { metadata: { region: ["US", "EU"] } }, ["pipes", "power"]],
    ["a number", { metadata: { level: 3 } }, ["caverns"]],
    ["null", { metadata: { note: null } }, ["pipes"]],
    ["a first day", { publishedFrom: "2024-03-02T00:00:00Z" }, ["power"]],
    ["a last day", { publishedTo: "2024-03-01T00:00:00Z" }, ["pipes"]],
    [
      "one instant",
      { publishedFrom: "2024-06-30T12:00:00Z", publishedTo: "2024-06-30T12:00:00Z" },
      ["power"],
    ],
    ["nothing", {}, ["caverns", "markup", "pipes", "power"]],
  ])("keep %s", async (_, filter, keys) => {
    expect(keysOf(await inWords({ query: all, filter })).toSorted()).toEqual(keys);
  });

  test.each(MODES)("give %s its best of those that pass", async (mode) => {
    const filter = { metadata: { commodity: ["gas", "carbon"] }, publishedFrom: "2023-06-01T00:00:00Z" };
    const passing = new Set(
      marketNotes()
        .filter(({ metadata, publishedAt }) => {
          const { commodity } = metadata as { commodity: string };
          return ["gas", "carbon"].includes(commodity) && publishedAt! >= filter.publishedFrom;
        })
        .map(({ key }) => key),
    );
    const filtered = await find({ mode, filter }, { first: 100 });
    expect(filtered.edges.length).toBeGreaterThan(5);
    for (const key of keysOf(filtered)) expect(passing).toContain(key);
    if (mode === "HYBRID") return;
    const unfiltered = await find({ mode }, { first: 100 });
    const expected = keysOf(unfiltered).filter((key) => passing.has(key));
    expect(keysOf(filtered).slice(0, expected.length)).toEqual(expected);
  });
});

describe("facets", () => {
  const facetOf = ({ facets }: Search, key: string) =>
    Object.fromEntries(
      facets.find((facet) => facet.key === key)!.values.map(({ value, count }) => [value, count]),
    );

  test("count all that hold a word, each value of a list", async () => {
    const found = await inWords(
      { query: "gas store", facets: ["region", "level", "note", "absent"] },
      { first: 1 },
    );
    expect(found.edges).toHaveLength(1);
    expect(found.facets.map(({ key }) => key)).toEqual(["region", "level", "note", "absent"]);
    expect(facetOf(found, "region")).toEqual({ EU: 2, UK: 1, US: 1 });
    expect(found.facets[0]!.values[0]).toEqual({ value: "EU", count: 2 });
    expect(facetOf(found, "level")).toEqual({ "3": 1 });
    expect(facetOf(found, "note")).toEqual({});
    expect(facetOf(found, "absent")).toEqual({});
  });

  test("count what passes the filter", async () => {
    const filter = { metadata: { region: "EU" } };
    const found = await inWords({ query: "gas store", facets: ["region"], filter });
    expect(facetOf(found, "region")).toEqual({ EU: 1 });
  });

  test.each(["SEMANTIC", "HYBRID"])("count the whole ranking of %s, not its page", async (mode) => {
    const counts = facetOf(await find({ mode, facets: ["commodity"] }, { first: 2 }), "commodity");
    const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
    expect(total).toBe(marketNotes().length);
  });
});

describe("highlights", () => {
  test("mark the words as they stand and escape the rest", async () => {
    const { edges } = await inWords({ query: "coal" });
    expect(edges[0]!.highlight).toBe(
      "&lt;b onclick=&quot;x()&quot;&gt;<em>Coal</em>&lt;/b&gt; &amp; &lt;em&gt;<em>coal</em>&lt;/em&gt; 🔥",
    );
    expect((await inWords({ query: "stores" })).edges.map(({ highlight }) => highlight)).toEqual(
      expect.arrayContaining(["Gas caverns fill. A cavern is a <em>store</em>."]),
    );
  });

  test.each(MODES)("show a passage for each result of %s", async (mode) => {
    const { edges } = await find({ mode }, { first: 20 });
    for (const { highlight } of edges) {
      const text = highlight.replaceAll(/<\/?em>/g, "");
      expect(text.length).toBeGreaterThan(20);
      expect(text).not.toMatch(/[<>]/);
    }
    expect(edges[0]!.highlight).toContain("<em>");
  });
});

describe("cursors", () => {
  test.each(["LEXICAL", "HYBRID"] as const)(
    "of %s stay valid while documents come in and go",
    async (mode) => {
      const collection = mode === "LEXICAL" ? "words" : "notes";
      const ask = (page: object) => search(platform, { collection, query: "gas coal", mode }, page);
      const before = keysOf(await ask({ first: 100 }));
      const first = await ask({ first: 2 });
      await ingested(collection, [
        { key: "intruder", title: "Gas", text: "Gas gas gas coal coal.", metadata: {} },
        { key: "another", title: "Coal", text: "Coal, coal and coal.", metadata: {} },
      ]);
      const rest = await ask({ first: 98, after: first.pageInfo.endCursor });
      expect([...keysOf(first), ...keysOf(rest)]).toEqual(before);
      const afresh = await ask({ first: 100 });
      expect(keysOf(afresh)).toContain("intruder");
      expect(await deleteDocuments(platform, collection, ["intruder", "another"])).toBe(2);
      expect(keysOf(await ask({ first: 100 }))).toEqual(before);
    },
  );

  test("belong to one search", async () => {
    const { pageInfo } = await find({ mode: "LEXICAL" }, { first: 2 });
    const after = pageInfo.endCursor;
    const other = await askSearch(
      platform,
      { collection: "notes", query: "coal", mode: "LEXICAL" },
      { after },
    );
    expect(refusalOf(other)).toBe("INVALID_INPUT after");
    const elsewhere = await askSearch(
      platform,
      { collection: "words", query: QUERY, mode: "LEXICAL" },
      { after },
    );
    expect(refusalOf(elsewhere)).toBe("INVALID_INPUT after");
  });

  test("say so when the embedder changed, unless words alone rank", async () => {
    const cursors = await Promise.all(MODES.map(async (mode) => (await find({ mode })).pageInfo.endCursor));
    const { data } = await reindex(platform, { collection: "notes" });
    expect((await endedJob(platform, data!.reindexCollection.job.id)).state).toBe("COMPLETED");
    const outcomes = await Promise.all(
      MODES.map(async (mode, i) => {
        const answer = await askSearch(
          platform,
          { collection: "notes", query: QUERY, mode },
          { after: cursors[i] },
        );
        return answer.errors ? refusalOf(answer) : "answered";
      }),
    );
    expect(outcomes).toEqual(["answered", "CONFLICT after", "CONFLICT after"]);
  });
});

describe("repeated searches", () => {
  const lookups = (result: string) => metric(platform, "cache_lookups_total", { cache: "search", result });

  test("are answered from memory until the collection changes", async () => {
    const ask = () => inWords({ query: "freshly piped gas" });
    const answer = await ask();
    const hits = await lookups("hit");
    expect((await ask()).edges).toEqual(answer.edges);
    expect(await lookups("hit")).toBe(hits + 1);
    await ingested("words", [{ key: "fresh", text: "freshly piped", metadata: {} }]);
    expect(keysOf(await ask())[0]).toBe("fresh");
    await deleteDocuments(platform, "words", ["fresh"]);
    expect((await ask()).edges.map(({ node, score }) => [node.key, score])).toEqual(
      answer.edges.map(({ node, score }) => [node.key, score]),
    );
    expect(await lookups("hit")).toBe(hits + 1);
  });

  test("at the same time are one", async () => {
    const [misses, shared] = [await lookups("miss"), await lookups("shared")];
    const answers = await Promise.all(Array.from({ length: 8 }, () => find({ query: "eight at once" })));
    expect(new Set(answers.map((answer) => keysOf(answer).join())).size).toBe(1);
    expect((await lookups("miss")) - misses).toBe(1);
    expect((await lookups("shared")) - shared).toBeGreaterThan(0);
  });
});

describe("bad input", () => {
  test.each<[string, Record<string, unknown>, string]>([
    ["an empty query", { query: "" }, "INVALID_INPUT input.query"],
    ["white space", { query: " \n\t " }, "INVALID_INPUT input.query"],
    ["a query too long", { query: "x".repeat(10_001) }, "INVALID_INPUT input.query"],
    ["NUL", { query: "gas\0" }, "INVALID_INPUT input.query"],
    ["half a surrogate pair", { query: "gas \ud83d" }, "INVALID_INPUT input.query"],
    ["no such collection", { collection: "absent" }, "NOT_FOUND input.collection"],
    [
      "a key that no document has",
      { filter: { metadata: { colour: "red" } } },
      "INVALID_INPUT input.filter.metadata.colour",
    ],
    [
      "an object to filter by",
      { filter: { metadata: { region: { x: 1 } } } },
      "INVALID_INPUT input.filter.metadata.region",
    ],
    ["a filter that is no object", { filter: { metadata: "region" } }, "INVALID_INPUT input.filter.metadata"],
    [
      "dates the wrong way round",
      { filter: { publishedFrom: "2024-02-01T00:00:00Z", publishedTo: "2024-01-01T00:00:00Z" } },
      "INVALID_INPUT input.filter.publishedTo",
    ],
    [
      "eleven facets",
      { facets: Array.from({ length: 11 }, (_, i) => `k${i}`) },
      "INVALID_INPUT input.facets",
    ],
  ])("%s", async (_, input, refusal) => {
    expect(refusalOf(await askSearch(platform, { collection: "notes", query: "gas", ...input }))).toBe(
      refusal,
    );
  });

  test.each<[string, object, string]>([
    ["a page of 101", { first: 101 }, "INVALID_INPUT first"],
    ["a page of -1", { first: -1 }, "INVALID_INPUT first"],
    ["a made-up cursor", { after: "garbage" }, "INVALID_INPUT after"],
  ])("%s", async (_, page, refusal) => {
    expect(refusalOf(await askSearch(platform, { collection: "notes", query: "gas" }, page))).toBe(refusal);
  });

  test.each(MODES)("operators of any query language are plain words to %s", async (mode) => {
    for (const query of [
      `gas & | ! <-> : * ' " \\ ( )`,
      `'gas':*A & (`,
      `"unclosed`,
      `gas'); DROP TABLE documents; --`,
      "$1 %s {} [] ~ ^",
      "🔥🔥🔥",
    ]) {
      const { data, errors } = await askSearch(platform, { collection: "notes", query, mode });
      expect([query, errors]).toEqual([query, undefined]);
      if (query.includes("gas") && mode === "LEXICAL") expect(data!.search.edges.length).toBeGreaterThan(0);
    }
  });

  test.each(MODES)("10,000 characters are answered by %s", async (mode) => {
    const words = marketNotes()
      .map(({ text }) => text)
      .join(" ");
    const { edges, plan } = await find({ query: words.slice(0, 9_999) + "x", mode });
    expect(edges).toHaveLength(10);
    expect(plan.tookMs).toBeLessThan(5_000);
  });

  test("explicit nulls are absent", async () => {
    const nulls = { mode: null, filter: null, facets: null };
    const { plan, edges } = await find(nulls, { first: null, after: null });
    expect([plan.mode, edges.length]).toEqual(["HYBRID", 10]);
  });
});
