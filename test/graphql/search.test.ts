import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { trainEmbedderInThread } from "../../src/modules/embeddings/training/train-embedder-in-thread.js";
import { createCollection, endedJob, ingest } from "../support/documents.js";
import type { DocumentInput } from "../support/documents.js";
import { uploadEmbedder } from "../support/embedders.js";
import { startPlatform } from "../support/platform.js";
import type { Answer, Platform } from "../support/platform.js";
import { promote } from "../support/registry.js";
import { servedBy } from "../support/reindexing.js";

interface Edge {
  cursor: string;
  score: number;
  semanticRank: number | null;
  lexicalRank: number | null;
  highlight: string;
  node: { key: string };
}

interface Search {
  edges: Edge[];
  pageInfo: {
    hasNextPage: boolean;
    hasPreviousPage: boolean;
    startCursor: string | null;
    endCursor: string | null;
  };
  facets: { key: string; values: { value: string; count: number }[] }[];
  plan: { mode: string; strategy: string; exhausted: boolean; tookMs: number };
}

const SEARCH = `query Search($input: SearchInput!, $first: Int, $after: String) {
  search(input: $input, first: $first, after: $after) {
    edges { cursor score semanticRank lexicalRank highlight node { key } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    facets { key values { value count } }
    plan { mode strategy exhausted tookMs }
  }
}`;
const MODES = ["LEXICAL", "SEMANTIC", "HYBRID"] as const;

/** Notes of our own, which the first start loads too. */
const NOTES = join(import.meta.dirname, "../../../samples/market-notes.jsonl");

let platform: Platform;
let documents: DocumentInput[];

function ask(
  input: Record<string, unknown>,
  page: { first?: number; after?: string | null } = {},
): Promise<Answer<{ search: Search }>> {
  return platform.ask(SEARCH, { input: { collection: "notes", ...input }, ...page });
}

async function search(
  input: Record<string, unknown>,
  page: { first?: number; after?: string | null } = {},
): Promise<Search> {
  const { data, errors } = await ask(input, page);
  if (errors) throw new Error(JSON.stringify(errors));
  return data!.search;
}

const keysOf = ({ edges }: Search): string[] => edges.map(({ node }) => node.key);

async function ingested(collection: string, documents: DocumentInput[]): Promise<void> {
  const { job } = await ingest(platform, collection, documents);
  const { state, error } = await endedJob(platform, job.id);
  if (state !== "COMPLETED") throw new Error(`${state}: ${error}`);
}

beforeAll(async () => {
  platform = await startPlatform();
  documents = (await readFile(NOTES, "utf8"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as DocumentInput);
  const trained = await trainEmbedderInThread(
    documents.map(({ title, text }) => `${title}\n${text}`),
    { dimensions: 32, seed: 1, language: "english" },
  );
  const { graph, tokenizer, options } = trained;
  const { number, rejection } = await uploadEmbedder(platform, "learned", {
    graph,
    tokenizer,
    embedder: embedderInput(options),
  });
  if (rejection) throw new Error(rejection);
  await promote(platform, { model: "learned", number });
  await createCollection(platform, { name: "notes", embedder: "learned" });
  await ingested("notes", documents);
  await servedBy(platform, "notes", "learned", number);
});

afterAll(() => platform.remove());

function embedderInput(options: object): object {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== null && value !== ""));
}

describe("the modes", () => {
  test.each(MODES)("%s finds what was written about", async (mode) => {
    const found = await search({ query: "European gas inventories before the deadline", mode });
    expect(keysOf(found).slice(0, 3)).toContain("storage-full-early");
    expect(found.plan).toMatchObject({ mode, exhausted: false });
    const scores = found.edges.map(({ score }) => score);
    expect(scores).toEqual(scores.toSorted((a, b) => b - a));
    expect(scores.every(Number.isFinite)).toBe(true);
  });
});
