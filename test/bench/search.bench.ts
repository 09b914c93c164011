import pg from "pg";
import { hnswName, passageTable, toVectorParameter } from "../../src/modules/search/passage-table.js";
import { randomNumbers } from "../../src/shared/random-numbers.js";
import { createCollection, endedJob, ingest } from "../support/documents.js";
import { uploadEmbedder } from "../support/embedders.js";
import { encoder, miniLmShape } from "../support/encoder-models.js";
import { startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";
import { promote } from "../support/registry.js";
import { servedBy } from "../support/reindexing.js";
import { wordPieceTokenizer } from "../support/tokenizers.js";
import { median, quantile } from "./bench-table.js";
import type { BenchRow, BenchTable } from "./bench-table.js";
import { makeTexts, vocabulary } from "./embedding.bench.js";

const MODES = ["LEXICAL", "SEMANTIC", "HYBRID"] as const;
const DIMENSIONS = miniLmShape.width;
const CLUSTERS = 1_000;
const ROWS_A_STATEMENT = 500;
const DOCUMENTS_A_CALL = 500;
/** hnsw.ef_search of both sides. */
const EFFORT = 80;
const CONNECTIONS = 8;
const ROUNDS = 5;
const SEARCHES_A_ROUND = 400;
const TIMED = 200;
const [fewestTokens, mostTokens] = [20, 60];
const EMBEDDED_DOCUMENTS = 10_000;
const DEADLINE_MS = 600_000;
/** Of ten, for the filter: keeps a tenth, and half a percent. */
const BUCKETS = { wide: 10, narrow: 200 };

export interface SearchBenchOptions {
  /** A PostgreSQL with pgvector, for figures of the service tier too. */
  dsn?: string;
  /** Of the collections there. */
  sizes?: number[];
}

/** How long searches take in each mode, and on a server how many there are a second over the raw statement. */
export async function searchBench(options: SearchBenchOptions = {}): Promise<BenchTable> {
  const { dsn, sizes = [10_000, 100_000] } = options;
  const rows = await onEmbedded();
  if (dsn !== undefined) rows.push(...(await onServer(dsn, sizes)));
  return { title: `Search over vectors of ${DIMENSIONS} dimensions`, rows };
}

async function onEmbedded(): Promise<BenchRow[]> {
  const platform = await startPlatform();
  try {
    await serveEncoder(platform, "bench");
    const texts = makeTexts(EMBEDDED_DOCUMENTS, fewestTokens, mostTokens);
    const jobs: string[] = [];
    for (let start = 0; start < texts.length; start += DOCUMENTS_A_CALL) {
      const documents = texts.slice(start, start + DOCUMENTS_A_CALL).map((text, i) => ({
        key: String(start + i),
        text,
        metadata: bucketsOf(start + i),
      }));
      jobs.push((await ingest(platform, "bench", documents)).job.id);
    }
    for (const job of jobs) await endedJob(platform, job, DEADLINE_MS);
    return await latencies(platform, "bench", `embedded, ${EMBEDDED_DOCUMENTS}`, "< 50 ms");
  } finally {
    await platform.remove();
  }
}

async function onServer(dsn: string, sizes: readonly number[]): Promise<BenchRow[]> {
  const platform = await startPlatform({ environment: { ML_VECTOR_DB_DSN: dsn } });
  const pool = new pg.Pool({ connectionString: dsn, max: CONNECTIONS });
  try {
    const rows: BenchRow[] = [];
    for (const size of sizes) {
      const collection = `bench_${size}_${Date.now()}`;
      await serveEncoder(platform, collection);
      const index = await fill(pool, collection, size);
      rows.push(...(await latencies(platform, collection, `PostgreSQL, ${size}`)));
      rows.push(await throughput(platform, pool, { collection, index, size }));
    }
    return rows;
  } finally {
    await pool.end();
    await platform.remove();
  }
}

/** A collection whose queries are embedded by a small encoder: one layer of MiniLM's. */
async function serveEncoder(platform: Platform, collection: string): Promise<void> {
  const graph = encoder({ ...miniLmShape, layers: 1 });
  const model = `${collection}_encoder`;
  const { number } = await uploadEmbedder(platform, model, {
    graph,
    tokenizer: wordPieceTokenizer(vocabulary),
  });
  await promote(platform, { model, number });
  await createCollection(platform, { name: collection, embedder: model });
  await servedBy(platform, collection, model, number, DEADLINE_MS);
}

/** Writes documents, postings and clustered vectors as ingest would. @returns id of the index */
async function fill(pool: pg.Pool, collection: string, size: number): Promise<number> {
  const found = await pool.query<{ id: number; index: number }>(
    "SELECT id, serving_index_id AS index FROM collections WHERE name = $1",
    [collection],
  );
  const { id, index } = found.rows[0]!;
  const texts = makeTexts(size, fewestTokens, mostTokens);
  const uniform = centred();
  const centres = Array.from({ length: CLUSTERS }, () => direction(uniform));
  for (let start = 0; start < size; start += ROWS_A_STATEMENT) {
    const batch = texts.slice(start, start + ROWS_A_STATEMENT);
    const { rows } = await pool.query<{ id: string }>(
      `INSERT INTO documents (collection_id, key, text, metadata, digest, word_count)
       SELECT $1, key, text, metadata, 'bench', 0 FROM unnest($2::text[], $3::text[], $4::jsonb[]) AS d(key, text, metadata)
       RETURNING id`,
      [id, batch.map((_, i) => start + i), batch, batch.map((_, i) => JSON.stringify(bucketsOf(start + i)))],
    );
    const vectors = batch.map((_, i) => toVectorParameter(near(centres[(start + i) % CLUSTERS]!, uniform)));
    const places = vectors.map((_, i) => `$${i + 2}::vector`).join();
    await pool.query(
      `INSERT INTO ${passageTable(index)} SELECT id, 0, 0, 100, embedding
       FROM unnest($1::bigint[], ARRAY[${places}]::halfvec[]) AS p(id, embedding)`,
      [rows.map((row) => row.id), ...vectors],
    );
  }
  await finish(pool, id, index);
  return index;
}

async function finish(pool: pg.Pool, collection: number, index: number): Promise<void> {
  await pool.query(
    `INSERT INTO postings SELECT d.collection_id, w.lexeme, d.id, cardinality(w.positions), l.words
     FROM documents d, LATERAL (SELECT to_tsvector('english', d.text) AS words) v,
       LATERAL (SELECT sum(cardinality(positions)) AS words FROM unnest(v.words)) l, unnest(v.words) w
     WHERE d.collection_id = $1`,
    [collection],
  );
  await pool.query(
    `UPDATE collections SET generation = generation + 1,
       document_count = (SELECT count(*) FROM documents WHERE collection_id = $1),
       word_count = (SELECT sum(frequency) FROM postings WHERE collection_id = $1) WHERE id = $1`,
    [collection],
  );
  await pool.query(
    `INSERT INTO metadata_keys SELECT $1, key, 1 FROM unnest($2::text[]) AS key ON CONFLICT DO NOTHING`,
    [collection, Object.keys(BUCKETS)],
  );
  const client = await pool.connect();
  await client.query("SET maintenance_work_mem = '512MB'");
  await client.query(
    `CREATE INDEX IF NOT EXISTS ${hnswName(index)} ON ${passageTable(index)} USING hnsw (embedding halfvec_ip_ops)`,
  );
  await client.query("RESET maintenance_work_mem");
  client.release();
  await pool.query("UPDATE search_indexes SET ef_search = $2 WHERE id = $1", [index, EFFORT]);
  await pool.query(`VACUUM ANALYZE ${passageTable(index)}`);
  for (const table of ["documents", "postings"]) await pool.query(`VACUUM ANALYZE ${table}`);
}

async function latencies(
  platform: Platform,
  collection: string,
  where: string,
  target?: string,
): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  const filters = { "": undefined, ", a tenth passes": { wide: 0 }, ", 1 of 200 passes": { narrow: 0 } };
  for (const [label, metadata] of Object.entries(filters)) {
    for (const mode of metadata ? (["HYBRID"] as const) : MODES) {
      const took: number[] = [];
      for (const query of queries(TIMED)) {
        const start = performance.now();
        await search(platform, { collection, query, mode, filter: metadata && { metadata } });
        took.push(performance.now() - start);
      }
      const value = `${quantile(took, 0.5).toFixed(1)}, ${quantile(took, 0.95).toFixed(1)} ms`;
      rows.push({ name: `${where} documents, ${mode}${label}: p50, p95`, value, target });
    }
  }
  return rows;
}

/** Both sides take turns, so that a busy machine slows both. */
async function throughput(
  platform: Platform,
  pool: pg.Pool,
  { collection, index, size }: { collection: string; index: number; size: number },
): Promise<BenchRow> {
  const statement = `SELECT document_id, embedding <#> $1::vector::halfvec(${DIMENSIONS}) AS distance
    FROM ${passageTable(index)} ORDER BY embedding <#> $1::vector::halfvec(${DIMENSIONS}) LIMIT 10`;
  await Promise.all(Array.from({ length: CONNECTIONS }, () => pool.query(`SET hnsw.ef_search = ${EFFORT}`)));
  const uniform = centred();
  const ratios: number[] = [];
  const rates: [number, number][] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const texts = queries(SEARCHES_A_ROUND);
    const ours = await perSecond(texts, (query) => search(platform, { collection, query, mode: "SEMANTIC" }));
    const vectors = texts.map(() => toVectorParameter(direction(uniform)));
    const raw = await perSecond(vectors, (vector) =>
      pool.query({ name: "raw", text: statement, values: [vector] }),
    );
    ratios.push(ours / raw);
    rates.push([ours, raw]);
  }
  const [ours, raw] = [0, 1].map((side) => median(rates.map((rate) => rate[side as 0 | 1])).toFixed(0));
  const value = `${median(ratios).toFixed(2)} (${ours} / ${raw})`;
  const name = `PostgreSQL, ${size} documents: SEMANTIC a second over the raw statement, ${CONNECTIONS} connections`;
  return { name, value, target: ">= 0.8" };
}

async function perSecond<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<number> {
  const waiting = items.values();
  const start = performance.now();
  await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      for (const item of waiting) await work(item);
    }),
  );
  return (items.length / (performance.now() - start)) * 1_000;
}

function search(platform: Platform, input: Record<string, unknown>): Promise<unknown> {
  return platform.query(
    `query Search($input: SearchInput!) { search(input: $input) { edges { score node { key } } } }`,
    { input },
  );
}

let asked = 0;

/** Never the same twice: answers from memory would tell nothing. */
function queries(count: number): string[] {
  const texts = makeTexts(asked + count, 6, 10).slice(asked);
  asked += count;
  return texts;
}

function bucketsOf(number: number): Record<string, number> {
  return Object.fromEntries(Object.entries(BUCKETS).map(([key, buckets]) => [key, number % buckets]));
}

/** From -0.5 to 0.5, so that directions point everywhere. */
function centred(): () => number {
  const uniform = randomNumbers(254);
  return () => uniform() - 0.5;
}

function direction(uniform: () => number): Float32Array {
  return unit(Float32Array.from({ length: DIMENSIONS }, uniform));
}

function near(centre: Float32Array, uniform: () => number): Float32Array {
  return unit(centre.map((x) => x + 0.06 * uniform()));
}

function unit(vector: Float32Array): Float32Array {
  const length = Math.hypot(...vector);
  return vector.map((x) => x / length);
}
