import { askIngest, createCollection, deleteDocuments, endedJob, ingest } from "../support/documents.js";
import type { DocumentInput } from "../support/documents.js";
import { readAll, refusalOf, startPlatform } from "../support/platform.js";
import type { Answer, Connection, Platform } from "../support/platform.js";

let platform: Platform;

beforeAll(async () => {
  platform = await startPlatform();
  await createCollection(platform, { name: "notes" });
  await ingest(platform, "notes", NOTES);
});

afterAll(() => platform.remove());

const NOTES: DocumentInput[] = [
  {
    key: "ttf/1",
    title: "Gas falls",
    text: "Mild weather lowers the demand for gas.",
    metadata: { commodity: "gas", region: "europe", tags: ["weather"], year: 2026 },
    publishedAt: "2026-01-05T09:00:00.000Z",
  },
  {
    key: "eua/1",
    title: null,
    text: "Allowances are scarce.",
    metadata: { commodity: "carbon", region: "europe" },
    publishedAt: "2026-02-01T00:00:00.000Z",
  },
  {
    key: "ercot/1",
    title: "Wind is still",
    text: "Power is dear in Texas.",
    metadata: { commodity: "power", region: "texas", year: 2025, draft: true, source: null },
    publishedAt: null,
  },
];

interface Document extends DocumentInput {
  id: string;
  collection: { name: string };
}

const DOCUMENT = "id key title text metadata publishedAt collection { name }";

async function documentOf(collection: string, key: string): Promise<Document | null> {
  const answer = await platform.query<{ collection: { document: Document | null } }>(
    `query Document($collection: String!, $key: String!) {
      collection(name: $collection) { document(key: $key) { ${DOCUMENT} } }
    }`,
    { collection, key },
  );
  return answer.collection.document;
}

interface Listed {
  documents: Connection<Document>;
  documentCount: number;
  pendingCount: number;
}

function list(variables: Record<string, unknown>): Promise<Answer<{ collection: Listed }>> {
  return platform.ask(
    `query Documents($name: String!, $first: Int, $after: String, $filter: DocumentFilter) {
      collection(name: $name) {
        documentCount pendingCount
        documents(first: $first, after: $after, filter: $filter) {
          edges { cursor node { ${DOCUMENT} } } pageInfo { hasNextPage } totalCount
        }
      }
    }`,
    variables,
  );
}

async function keysBy(filter: unknown, name = "notes"): Promise<string[]> {
  const { data, errors } = await list({ name, filter });
  if (errors) throw new Error(JSON.stringify(errors));
  const { edges, totalCount } = data!.collection.documents;
  expect(totalCount).toBe(edges.length);
  return edges.map(({ node }) => node.key);
}

function manyNotes(count: number, text = "A note on gas"): DocumentInput[] {
  return Array.from({ length: count }, (_, i) => ({
    key: `note ${String(i).padStart(4, "0")}`,
    text: `${text}, number ${i}.`,
    metadata: { number: i },
  }));
}

describe("what is stored", () => {
  test("is read back as it was sent, by key and by id", async () => {
    for (const note of NOTES) {
      const found = await documentOf("notes", note.key);
      expect(found).toEqual({ ...note, id: found!.id, collection: { name: "notes" } });
      const { node } = await platform.query<{ node: Document }>(
        `query Node($id: ID!) { node(id: $id) { ... on Document { ${DOCUMENT} } } }`,
        { id: found!.id },
      );
      expect(node).toEqual(found);
    }
    expect(await documentOf("notes", "absent")).toBeNull();
  });

  test("is listed by key, page by page", async () => {
    await createCollection(platform, { name: "pages" });
    await ingest(platform, "pages", manyNotes(25).reverse());
    const all = await readAll(async (after) => {
      const { data } = await list({ name: "pages", first: 10, after });
      return data!.collection.documents;
    });
    expect(all.map(({ key }) => key)).toEqual(manyNotes(25).map(({ key }) => key));
    expect(refusalOf(await list({ name: "pages", first: 101 }))).toBe("INVALID_INPUT first");
    expect(refusalOf(await list({ name: "pages", after: "bm9uZQ" }))).toBe("INVALID_INPUT after");
  });

  test("keeps odd text and metadata as they are", async () => {
    const odd: DocumentInput = {
      key: "a key/with \"quotes\", {braces} and 'more' ☃",
      title: "\\N \\ NULL",
      text: 'Zeile eins\r\nline two\ttab 𝔸 {"a": 1} \\\' ; DROP TABLE documents',
      metadata: { "a b": { c: [1, -0.5, 1e-7, null, true, "x\u0001y"] }, __proto__x: "{}", é: 1e300 },
      publishedAt: "0001-01-01T00:00:00.000Z",
    };
    await createCollection(platform, { name: "odd" });
    await ingest(platform, "odd", [odd]);
    expect(await documentOf("odd", odd.key)).toMatchObject(odd);
    expect(await ingest(platform, "odd", [odd])).toMatchObject({ created: 0, updated: 0, unchanged: 1 });
  });
});

describe("ingestion", () => {
  test("counts what is new, changed and the same, and leaves the same alone", async () => {
    await createCollection(platform, { name: "digests" });
    const [first, second, third, fourth] = manyNotes(4) as [
      DocumentInput,
      DocumentInput,
      DocumentInput,
      DocumentInput,
    ];
    const before = await ingest(platform, "digests", [first, second, third]);
    expect(before).toMatchObject({ created: 3, updated: 0, unchanged: 0, job: { kind: "embed-documents" } });
    const { id } = (await documentOf("digests", second.key))!;
    const after = await ingest(platform, "digests", [
      first,
      { ...second, text: "Another text." },
      { ...third, metadata: { number: 7 }, publishedAt: "2026-03-01T00:00:00Z" },
      fourth,
    ]);
    expect(after).toMatchObject({ created: 1, updated: 2, unchanged: 1 });
    expect(after.job.id).not.toBe(before.job.id);
    expect(await documentOf("digests", second.key)).toMatchObject({ id, text: "Another text." });
    expect(await documentOf("digests", third.key)).toMatchObject({
      metadata: { number: 7 },
      publishedAt: "2026-03-01T00:00:00.000Z",
    });
    const { data } = await list({ name: "digests" });
    expect(data!.collection).toMatchObject({ documentCount: 4, pendingCount: 0 });
  });

  test("takes metadata in another order, and a blank title for none, as the same", async () => {
    await createCollection(platform, { name: "order" });
    await ingest(platform, "order", [
      { key: "a", title: "  ", text: "Gas.", metadata: { x: 1, y: { b: 1, a: 2 } } },
    ]);
    const again = [{ key: "a", text: "Gas.", metadata: { y: { a: 2, b: 1 }, x: 1 } }];
    expect(await ingest(platform, "order", again)).toMatchObject({ unchanged: 1 });
  });

  test("has a job that ends at once where no embedder is", async () => {
    const { job } = await ingest(platform, "notes", NOTES);
    expect(await endedJob(platform, job.id)).toMatchObject({ state: "COMPLETED", error: null, progress: 1 });
  });

  test("answers a repetition with the same key as it answered the first", async () => {
    await createCollection(platform, { name: "once" });
    const first = await ingest(platform, "once", manyNotes(2), { idempotencyKey: "k1" });
    const again = await ingest(platform, "once", manyNotes(2), { idempotencyKey: "k1" });
    expect({ ...again, job: again.job.id }).toEqual({ ...first, job: first.job.id });
    expect(refusalOf(await askIngest(platform, "once", manyNotes(3), { idempotencyKey: "k1" }))).toBe(
      "CONFLICT input.idempotencyKey",
    );
    expect(await keysBy(null, "once")).toHaveLength(2);
  });

  test("of the same documents at the same time stores each once", async () => {
    await createCollection(platform, { name: "rivals" });
    const outcomes = await Promise.all(
      ["first", "second", "third", "fourth"].map((text) => ingest(platform, "rivals", manyNotes(50, text))),
    );
    const total = (name: "created" | "updated" | "unchanged") =>
      outcomes.reduce((sum, outcome) => sum + outcome[name], 0);
    expect({ created: total("created"), updated: total("updated") }).toEqual({ created: 50, updated: 150 });
    const { data } = await list({ name: "rivals", first: 100 });
    expect(data!.collection.documentCount).toBe(50);
    const texts = data!.collection.documents.edges.map(({ node }) => node.text.split(",")[0]);
    expect(new Set(texts).size).toBe(1);
  });

  test("takes a batch as large as it may be, and long texts", async () => {
    await createCollection(platform, { name: "large" });
    expect(await ingest(platform, "large", manyNotes(1000))).toMatchObject({ created: 1000 });
    const long = { key: "long", text: "немного газа и угля ".repeat(25_000) };
    const distinct = {
      key: "distinct",
      text: Array.from({ length: 38_000 }, (_, i) => `слово${i}`).join(" "),
    };
    const wordless = { key: "wordless", text: "☃".repeat(200_000) };
    expect(await ingest(platform, "large", [long, distinct, wordless])).toMatchObject({ created: 3 });
    expect((await documentOf("large", "long"))!.text).toBe(long.text);
  });
});

describe("bad documents", () => {
  const good = { key: "good", text: "Fine." };
  const nested = (depth: number) => JSON.parse('{"a":'.repeat(depth) + "1" + "}".repeat(depth)) as unknown;
  const listed = (depth: number) => ({ a: JSON.parse("[".repeat(depth) + "]".repeat(depth)) as unknown });

  beforeAll(() => createCollection(platform, { name: "strict" }));

  test.each<[string, object, string]>([
    ["an empty key", { key: "" }, "key"],
    ["a key of 513 characters", { key: "k".repeat(513) }, "key"],
    ["a key with a line break", { key: "a\nb" }, "key"],
    ["a key with NUL", { key: "a\0b" }, "key"],
    ["a key with half a character", { key: "a\ud800" }, "key"],
    ["a title of 1,001 characters", { title: "t".repeat(1001) }, "title"],
    ["a title with NUL", { title: "\0" }, "title"],
    ["an empty text", { text: "" }, "text"],
    ["a text of white space", { text: " \n\t\u00a0\u2003" }, "text"],
    ["a text of what nobody sees", { text: "\u200b\u2060\ufeff" }, "text"],
    ["a text of 3 MB", { text: "gas ".repeat(786_432) }, "text"],
    ["a text with NUL", { text: "a\0b" }, "text"],
    ["a text with half a character", { text: "a\udc00b" }, "text"],
    ["metadata that is a list", { metadata: ["gas"] }, "metadata"],
    ["metadata that is text", { metadata: "gas" }, "metadata"],
    ["metadata of 65 KB", { metadata: { a: "x".repeat(65 * 1024) } }, "metadata"],
    [
      "metadata of 101 keys",
      { metadata: Object.fromEntries(Array.from({ length: 101 }, (_, i) => [i, i])) },
      "metadata",
    ],
    ["metadata 11 deep", { metadata: nested(11) }, "metadata"],
    ["metadata 1,000 deep", { metadata: nested(1000) }, "metadata"],
    ["lists 1,000 deep in metadata", { metadata: listed(1000) }, "metadata"],
    ["metadata with an empty key", { metadata: { "": 1 } }, "metadata"],
    ["metadata with NUL in a key", { metadata: { "a\0": 1 } }, "metadata"],
    ["metadata with half a character in a key", { metadata: { "\ud800": 1 } }, "metadata"],
    ["metadata with NUL in a value", { metadata: { a: ["\0"] } }, "metadata.a.0"],
    ["a date that is none", { publishedAt: "2026-02-30T00:00:00Z" }, "publishedAt"],
    ["a date in the year 0", { publishedAt: "0000-01-01T00:00:00Z" }, "publishedAt"],
  ])("%s is refused by its field, and nothing is stored", async (_, fault, field) => {
    const documents = [good, { ...good, key: "other", ...fault }];
    expect(refusalOf(await askIngest(platform, "strict", documents))).toBe(
      `INVALID_INPUT input.documents.1.${field}`,
    );
    expect(await keysBy(null, "strict")).toEqual([]);
  });

  test.each<[string, string]>([
    ["a number beyond a double's", '{"a": 1e999}'],
    ["objects 300,000 deep", '{"a":'.repeat(300_000) + "1" + "}".repeat(300_000)],
    ["lists 1,000,000 deep", `{"a": ${"[".repeat(1_000_000)}${"]".repeat(1_000_000)}}`],
  ])("%s in metadata is refused", async (_, metadata) => {
    const response = await fetch(`${platform.url}/graphql`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body:
        `{"query": "mutation($d: [DocumentInput!]!) { ingestDocuments(input: {collection: \\"strict\\", documents: $d}) ` +
        `{ created } }", "variables": {"d": [{"key": "a", "text": "b", "metadata": ${metadata}}]}}`,
    });
    expect(refusalOf((await response.json()) as Answer<unknown>)).toBe(
      "INVALID_INPUT input.documents.0.metadata",
    );
  });

  test("a key twice, no documents and too many are refused", async () => {
    const twice = [good, { ...good, key: "b" }, { ...good, text: "Other." }];
    expect(refusalOf(await askIngest(platform, "strict", twice))).toBe("INVALID_INPUT input.documents.2.key");
    expect(refusalOf(await askIngest(platform, "strict", []))).toBe("INVALID_INPUT input.documents");
    expect(refusalOf(await askIngest(platform, "strict", manyNotes(1001)))).toBe(
      "INVALID_INPUT input.documents",
    );
    expect(await keysBy(null, "strict")).toEqual([]);
  });

  test("literals nested too deep are refused by their field", async () => {
    const value = "[".repeat(200) + "]".repeat(200);
    const answer = await platform.ask(
      `mutation { ingestDocuments(input: { collection: "strict",
        documents: [{ key: "a", text: "b", metadata: { a: ${value} } }] }) { created } }`,
    );
    expect(refusalOf(answer)).toBe("INVALID_INPUT input.documents.0.metadata");
  });

  test("a collection that does not exist is not found", async () => {
    expect(refusalOf(await askIngest(platform, "absent", [good]))).toBe("NOT_FOUND input.collection");
    const answer = await platform.ask(
      `mutation { deleteDocuments(input: { collection: "absent", keys: ["a"] }) { deleted } }`,
    );
    expect(refusalOf(answer)).toBe("NOT_FOUND input.collection");
  });
});

describe("deletion", () => {
  test("takes documents out at once and tells how many there were", async () => {
    await createCollection(platform, { name: "shrinking" });
    await ingest(platform, "shrinking", manyNotes(5));
    expect(
      await deleteDocuments(platform, "shrinking", ["note 0001", "note 0003", "absent", "note 0001"]),
    ).toBe(2);
    expect(await keysBy(null, "shrinking")).toEqual(["note 0000", "note 0002", "note 0004"]);
    const { data } = await list({ name: "shrinking" });
    expect(data!.collection.documentCount).toBe(3);
    expect(await deleteDocuments(platform, "shrinking", ["note 0001"])).toBe(0);
    expect(await ingest(platform, "shrinking", manyNotes(5))).toMatchObject({ created: 2, unchanged: 3 });
  });

  test.each<[string, string[], string]>([
    ["no keys", [], "input.keys"],
    ["1,001 keys", new Array<string>(1001).fill("a"), "input.keys"],
    ["an empty key", ["a", ""], "input.keys.1"],
  ])("of %s is refused", async (_, keys, field) => {
    const answer = await platform.ask(
      `mutation Delete($keys: [String!]!) { deleteDocuments(input: { collection: "notes", keys: $keys }) { deleted } }`,
      { keys },
    );
    expect(refusalOf(answer)).toBe(`INVALID_INPUT ${field}`);
  });
});

describe("filters", () => {
  test.each<[unknown, string[]]>([
    [null, ["ercot/1", "eua/1", "ttf/1"]],
    [{ metadata: {} }, ["ercot/1", "eua/1", "ttf/1"]],
    [{ metadata: { commodity: "gas" } }, ["ttf/1"]],
    [{ metadata: { commodity: ["gas", "carbon", "coal"] } }, ["eua/1", "ttf/1"]],
    [{ metadata: { region: "europe", commodity: ["carbon", "power"] } }, ["eua/1"]],
    [{ metadata: { commodity: "Gas" } }, []],
    [{ metadata: { year: 2026 } }, ["ttf/1"]],
    [{ metadata: { year: "2026" } }, []],
    [{ metadata: { draft: true } }, ["ercot/1"]],
    [{ metadata: { source: null } }, ["ercot/1"]],
    [{ publishedFrom: "2026-01-05T09:00:00Z" }, ["eua/1", "ttf/1"]],
    [{ publishedTo: "2026-01-05T09:00:00Z" }, ["ttf/1"]],
    [{ publishedFrom: "2026-01-05T09:00:01Z", publishedTo: "2026-02-01T00:00:00Z" }, ["eua/1"]],
    [{ metadata: { region: "europe" }, publishedFrom: "2026-01-06T00:00:00Z" }, ["eua/1"]],
    [{ metadata: { region: `x' OR '1'='1` } }, []],
  ])("%j keeps %j", async (filter, keys) => {
    expect(await keysBy(filter)).toEqual(keys);
  });

  test("on a key that no document has is refused, and names those there are", async () => {
    const answer = await list({ name: "notes", filter: { metadata: { commodty: "gas" } } });
    expect(refusalOf(answer)).toBe("INVALID_INPUT filter.metadata.commodty");
    expect(answer.errors![0]!.message).toContain("commodity, region");
  });

  test("follows the metadata that documents still have", async () => {
    await createCollection(platform, { name: "keys" });
    const [a, b] = [
      { key: "a", text: "One.", metadata: { x: 1, y: 1 } },
      { key: "b", text: "Two.", metadata: { x: 2 } },
    ];
    await ingest(platform, "keys", [a!, b!]);
    await ingest(platform, "keys", [{ ...a!, metadata: { x: 1, z: 1 } }]);
    const asked = async (key: string) =>
      (await list({ name: "keys", filter: { metadata: { [key]: 1 } } })).errors;
    expect(await asked("y")).toBeDefined();
    expect(await asked("z")).toBeUndefined();
    await deleteDocuments(platform, "keys", ["a"]);
    expect(await asked("z")).toBeDefined();
    expect(await asked("x")).toBeUndefined();
  });

  test.each<[object, string]>([
    [{ metadata: { commodity: { a: 1 } } }, "filter.metadata.commodity"],
    [{ metadata: { commodity: [] } }, "filter.metadata.commodity"],
    [{ metadata: { "\ud800": 1 } }, "filter.metadata"],
    [{ metadata: { "a\0": 1 } }, "filter.metadata"],
    [{ publishedFrom: "2026-01-02T00:00:00Z", publishedTo: "2026-01-01T00:00:00Z" }, "filter.publishedTo"],
    [{ publishedFrom: "yesterday" }, "filter.publishedFrom"],
  ])("%j is refused", async (filter, field) => {
    expect(refusalOf(await list({ name: "notes", filter }))).toBe(`INVALID_INPUT ${field}`);
  });
});
