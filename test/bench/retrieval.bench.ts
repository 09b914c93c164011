import { createCollection, endedJob, ingest } from "../support/documents.js";
import { trainedEmbedder } from "../support/embedder-training.js";
import { startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";
import { promote } from "../support/registry.js";
import { servedBy, setEmbedder } from "../support/reindexing.js";
import { quantile } from "./bench-table.js";
import type { BenchTable } from "./bench-table.js";
import { PlainBm25 } from "./plain-bm25.js";
import { ndcg, recall } from "./ranking-measures.js";
import { readRetrievalData } from "./retrieval-data.js";
import type { RetrievalData } from "./retrieval-data.js";

const MODES = ["LEXICAL", "SEMANTIC", "HYBRID"] as const;
const DOCUMENTS_A_CALL = 200;
const DEPTH = 100;
const DEADLINE_MS = 300_000;

interface Measured {
  ndcg: number;
  recall: number;
}

/**
 * How well a started platform ranks a test collection in each mode, with the built-in embedder trained on it, beside
 * a plain BM25.
 * @param data folder of corpus.jsonl, queries.jsonl and qrels.tsv, each gzipped or not
 * @param dsn a PostgreSQL with pgvector; the embedded database otherwise
 */
export async function retrievalBench({ data, dsn }: { data: string; dsn?: string }): Promise<BenchTable> {
  const collection = await readRetrievalData(data);
  const platform = await startPlatform(dsn === undefined ? {} : { environment: { ML_VECTOR_DB_DSN: dsn } });
  try {
    const embedderSeconds = await fill(platform, collection);
    const plain = new PlainBm25(
      collection.documents.map((d) => ({ id: d.id, text: `${d.title} ${d.text}` })),
    );
    const base = await measure(collection, (query) => Promise.resolve(plain.rank(query, DEPTH)));
    const rows: BenchTable["rows"] = [{ name: "plain BM25: nDCG@10, recall@100", value: text(base) }];
    const best: number[] = [];
    for (const mode of MODES) {
      const tookMs: number[] = [];
      const measured = await measure(collection, async (query) => {
        const start = performance.now();
        const ranking = await search(platform, mode, query);
        tookMs.push(performance.now() - start);
        return ranking;
      });
      const ratio = (measured.ndcg / base.ndcg).toFixed(2);
      const hybrid = mode === "HYBRID" ? { target: `>= 1.20x and >= ${Math.max(...best).toFixed(3)}` } : {};
      rows.push({
        name: `${mode}: nDCG@10, recall@100, times plain BM25`,
        value: `${text(measured)}, ${ratio}x`,
        ...hybrid,
      });
      rows.push({
        name: `${mode}: p50, p95 of a page of 100`,
        value: `${ms(quantile(tookMs, 0.5))}, ${ms(quantile(tookMs, 0.95))}`,
      });
      best.push(measured.ndcg);
    }
    rows.push({
      name: "index recall@10 against exact search",
      value: await indexRecall(platform),
      target: ">= 0.98",
    });
    rows.push({
      name: "training the embedder and embedding all documents with it",
      value: `${embedderSeconds.toFixed(1)} s`,
    });
    const { documents, queries } = collection;
    return { title: `Retrieval: ${documents.length} documents, ${queries.length} queries`, rows };
  } finally {
    await platform.remove();
  }
}

/** @returns seconds from the last document to the first search by meaning */
async function fill(platform: Platform, { documents }: RetrievalData): Promise<number> {
  await createCollection(platform, { name: "bench" });
  for (let start = 0; start < documents.length; start += DOCUMENTS_A_CALL) {
    const batch = documents.slice(start, start + DOCUMENTS_A_CALL);
    const inputs = batch.map(({ id, title, text }) => ({
      key: id,
      title: title || null,
      text: text || title || "-",
    }));
    const { job } = await ingest(platform, "bench", inputs);
    await endedJob(platform, job.id);
  }
  const start = performance.now();
  const run = await trainedEmbedder(platform, { model: "learned", collection: "bench" });
  if (!run.version) throw new Error(run.error ?? run.status);
  await promote(platform, { model: "learned", number: run.version.number });
  const { errors } = await setEmbedder(platform, { collection: "bench", embedder: "learned" });
  if (errors) throw new Error(JSON.stringify(errors));
  await servedBy(platform, "bench", "learned", run.version.number, DEADLINE_MS);
  return (performance.now() - start) / 1_000;
}

async function measure(
  { queries, gains }: RetrievalData,
  rank: (query: string) => Promise<string[]>,
): Promise<Measured> {
  const sum = { ndcg: 0, recall: 0 };
  for (const { id, text: query } of queries) {
    const ranking = await rank(query);
    sum.ndcg += ndcg(ranking, gains.get(id)!, { depth: 10 });
    sum.recall += recall(ranking, gains.get(id)!, { depth: DEPTH });
  }
  return { ndcg: sum.ndcg / queries.length, recall: sum.recall / queries.length };
}

async function search(platform: Platform, mode: string, query: string): Promise<string[]> {
  const answer = await platform.query<{ search: { edges: { node: { key: string } }[] } }>(
    `query Search($input: SearchInput!) { search(input: $input, first: ${DEPTH}) { edges { node { key } } } }`,
    { input: { collection: "bench", query, mode } },
  );
  return answer.search.edges.map(({ node }) => node.key);
}

/** As probed with stored vectors before the index began to serve; 1 where every row is read. */
async function indexRecall(platform: Platform): Promise<string> {
  const { collection } = await platform.query<{ collection: { reindex: { result: { recall: number } } } }>(
    `{ collection(name: "bench") { reindex { result } } }`,
  );
  return collection.reindex.result.recall.toFixed(3);
}

function text({ ndcg: gain, recall: found }: Measured): string {
  return `${gain.toFixed(3)}, ${found.toFixed(3)}`;
}

function ms(value: number): string {
  return `${value.toFixed(1)} ms`;
}
