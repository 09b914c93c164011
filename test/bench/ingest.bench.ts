import "reflect-metadata";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { text as readAllText } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { migrations } from "../../migrations/index.js";
import { MemoryCache } from "../../src/adapters/embedded/memory-cache.js";
import { createOnnxInferenceRuntime } from "../../src/adapters/onnx/onnx-inference-runtime.js";
import { entities } from "../../src/app.js";
import { EmbeddingService, trainEmbedderInThread } from "../../src/modules/embeddings/index.js";
import type { ServedVersion } from "../../src/modules/models/index.js";
import { openTestDatabase } from "../support/embedded-test-database.js";
import { uploadEmbedder } from "../support/embedders.js";
import { encoder, miniLmShape } from "../support/encoder-models.js";
import { startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";
import { promote } from "../support/registry.js";
import { wordPieceTokenizer } from "../support/tokenizers.js";
import { median, quantile } from "./bench-table.js";
import type { BenchRow, BenchTable } from "./bench-table.js";
import { bestRaw, idsOf, makeTexts, vocabulary } from "./embedding.bench.js";

const ROOT = join(import.meta.dirname, "../../..");
const CLI = join(import.meta.dirname, "../../bundle/cli.js");
const ROWS_A_STATEMENT = 500;
const PROBE_EVERY_MS = 100;
/** Both sides take turns, so that a busy machine slows both. */
const ROUNDS = 4;
const [fewestTokens, mostTokens] = [10, 256];

interface Note {
  key: string;
  title: string;
  text: string;
  metadata: { number: number };
}

type Trained = Awaited<ReturnType<typeof trainEmbedderInThread>>;

export interface IngestBenchOptions {
  documents?: number;
  /** Through an encoder of MiniLM-L6's shape. */
  passages?: number;
}

/** Documents from a file to the last vector, by the command line and the platform as users run them. */
export async function ingestBench({
  documents = 10_000,
  passages = 2_000,
}: IngestBenchOptions = {}): Promise<BenchTable> {
  const folder = await mkdtemp(join(tmpdir(), "ingest-bench-"));
  try {
    const rows = [
      ...(await builtInEmbedder(folder, documents)),
      ...(passages > 0 ? [await miniLm(folder, passages)] : []),
    ];
    return { title: `Ingest, ${availableParallelism()} processors`, rows };
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function builtInEmbedder(folder: string, count: number): Promise<BenchRow[]> {
  const notes = await makeNotes(count);
  const words = notes.reduce((sum, { text }) => sum + text.split(" ").length, 0) / count;
  const training = await timed(() =>
    trainEmbedderInThread(
      notes.map(({ title, text }) => `${title}\n${text}`),
      { dimensions: 256, seed: 254, language: "english" },
    ),
  );
  const trained = training.result;
  const floor = await floorOf(folder, notes, trained);
  const platform = await startPlatform();
  try {
    const { graph, tokenizer, options: embedder } = trained;
    await uploadEmbedder(platform, "built_in", { graph, tokenizer, embedder });
    await promote(platform, { model: "built_in", number: 1 });
    const file = join(folder, "notes.jsonl");
    await writeFile(file, notes.map((note) => JSON.stringify(note)).join("\n"));
    const wordsOnly = await ingestFile(platform, file, ["--collection", "words", "--create"]);
    const embedded = await ingestFile(platform, file, [
      ...["--collection", "notes", "--create", "--embedder", "built_in"],
    ]);
    const again = await ingestFile(platform, file, ["--collection", "notes"]);
    const rate = (seconds: number) => `${seconds.toFixed(1)} s, ${(count / seconds).toFixed(0)} documents/s`;
    return [
      {
        name: `training the built-in embedder on ${count} documents of ${words.toFixed(0)} words`,
        value: `${training.seconds.toFixed(1)} s`,
      },
      { name: "`254carbon ingest` of them, words only", value: rate(wordsOnly.seconds) },
      { name: "the same with the built-in embedder, until all is embedded", value: rate(embedded.seconds) },
      {
        name: "embedding alone, then inserting the same rows by SQL alone / that",
        value: `${((floor.embedding + floor.inserting) / embedded.seconds).toFixed(2)}  (${floor.embedding.toFixed(1)} s + ${floor.inserting.toFixed(1)} s)`,
      },
      { name: "the same again, nothing changed", value: rate(again.seconds) },
      {
        name: "another query meanwhile: median, p95",
        value: `${median(embedded.probes).toFixed(1)} ms, ${quantile(embedded.probes, 0.95).toFixed(1)} ms`,
      },
      {
        name: "peak memory: gateway, workers and database in one process / the command line",
        value: `${megabytes(embedded.platformPeak)} / ${megabytes(embedded.cliPeak)}`,
      },
    ];
  } finally {
    await platform.remove();
  }
}

/** Bulk embedding with queue and database beside plain onnxruntime-node, which is handed tokens. */
async function miniLm(folder: string, count: number): Promise<BenchRow> {
  const texts = makeTexts(count, fewestTokens, mostTokens);
  const graph = encoder(miniLmShape);
  const path = join(folder, "mini-lm.onnx");
  await writeFile(path, graph);
  const { raw, batchSize, name } = await bestRaw(path, texts.map(idsOf));
  const platform = await startPlatform();
  try {
    const tokenizer = wordPieceTokenizer(vocabulary);
    await uploadEmbedder(platform, "mini_lm", { graph, tokenizer, embedder: { maxTokens: mostTokens } });
    await promote(platform, { model: "mini_lm", number: 1 });
    const file = join(folder, "passages.jsonl");
    const options = ["--collection", "passages", "--create", "--embedder", "mini_lm"];
    let [seconds, plain] = [0, 0];
    const size = Math.ceil(count / ROUNDS);
    for (let from = 0; from < count; from += size) {
      const part = texts.slice(from, from + size);
      plain += await raw.run(part.map(idsOf), batchSize);
      const lines = part.map((text, i) => JSON.stringify({ key: String(from + i), text }));
      await writeFile(file, lines.join("\n"));
      seconds += (await ingestFile(platform, file, options)).seconds;
    }
    const [platformRate, plainRate] = [count / seconds, count / plain];
    return {
      name:
        `${count} passages of ${fewestTokens} to ${mostTokens} tokens, MiniLM-L6's shape: ` +
        `\`254carbon ingest\` / plain onnxruntime-node (${name})`,
      value: `${(platformRate / plainRate).toFixed(2)}  (${platformRate.toFixed(1)} / ${plainRate.toFixed(1)} passages/s)`,
      target: ">= 0.9",
    };
  } finally {
    await raw.close();
    await platform.remove();
  }
}

/** Sentences of the sample notes, shuffled: three to six make a text. */
async function makeNotes(count: number): Promise<Note[]> {
  const samples = (await readFile(join(ROOT, "samples/market-notes.jsonl"), "utf8"))
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as { title: string; text: string });
  const sentences = samples.flatMap(({ text }) => text.split(/(?<=[.!?]) /));
  let state = 254;
  const random = (below: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  return Array.from({ length: count }, (_, number) => ({
    key: `note/${number}`,
    title: samples[random(samples.length)]!.title,
    text: Array.from({ length: 3 + random(4) }, () => sentences[random(sentences.length)]).join(" "),
    metadata: { number },
  }));
}

interface Floor {
  /** Seconds. */
  embedding: number;
  inserting: number;
}

/** What cannot be left out: the vectors, and the rows in the embedded database. */
async function floorOf(folder: string, notes: readonly Note[], trained: Trained): Promise<Floor> {
  const runtime = createOnnxInferenceRuntime({
    cacheBytes: 1e9,
    queueLimit: 1_000,
    validation: { timeoutMs: 60_000, memoryBytes: 4e9 },
  });
  const embeddings = new EmbeddingService(runtime, { cache: new MemoryCache(0), seconds: 1 });
  try {
    const path = join(folder, "built-in.onnx");
    await writeFile(path, trained.graph);
    await writeFile(join(folder, "tokenizer.json"), trained.tokenizer);
    const source = { key: "built-in", path, bytes: trained.graph.byteLength };
    const { signature } = await runtime.warm(source);
    const files = [
      {
        name: "tokenizer.json",
        sha256: createHash("sha256").update(trained.tokenizer).digest("hex"),
        bytes: trained.tokenizer.byteLength,
      },
    ];
    const version = {
      model: { name: "built_in", kind: "TEXT_EMBEDDER" },
      version: { id: "built-in", number: 1, files, embedder: trained.options },
      signature,
      source,
    } as unknown as ServedVersion;
    const texts = notes.map(({ title, text }) => `${title}\n${text}`);
    await embeddings.embed(version, texts.slice(0, 20), { role: "PASSAGE", priority: "bulk" });
    const { seconds: embedding, result } = await timed(() =>
      embeddings.embed(version, texts, { role: "PASSAGE", priority: "bulk" }),
    );
    const inserting = await insertBySql(
      notes,
      result.map(({ vector }) => vector),
    );
    return { embedding, inserting };
  } finally {
    await embeddings.close();
    await runtime.close();
  }
}

async function insertBySql(notes: readonly Note[], vectors: readonly Float32Array[]): Promise<number> {
  const { database, drop } = await openTestDatabase({ entities, migrations });
  try {
    const sql = (statement: string, parameters: unknown[] = []) =>
      database.dataSource.query<unknown[]>(statement, parameters);
    await sql("INSERT INTO collections (name, language, created_by) VALUES ('notes', 'english', 'bench')");
    await sql(
      `CREATE TABLE vectors.bench (document_id bigint, ordinal int, start_at int, end_at int,
         embedding vector(${vectors[0]!.length}), PRIMARY KEY (document_id, ordinal))`,
    );
    const { seconds } = await timed(async () => {
      for (let from = 0; from < notes.length; from += ROWS_A_STATEMENT) {
        const part = notes.slice(from, from + ROWS_A_STATEMENT);
        await sql(
          `INSERT INTO documents (collection_id, key, title, text, metadata, digest, word_count)
           SELECT 1, d.*, md5(d.text), 0 FROM unnest($1::text[], $2::text[], $3::text[], $4::jsonb[]) AS d(key, title, text, metadata)`,
          [
            part.map(({ key }) => key),
            part.map(({ title }) => title),
            part.map(({ text }) => text),
            part.map(({ metadata }) => JSON.stringify(metadata)),
          ],
        );
        await sql(
          `INSERT INTO postings (collection_id, lexeme, document_id, frequency, document_length)
           SELECT 1, lexeme, id, cardinality(positions), 0
           FROM documents, unnest(to_tsvector('english', title || ' ' || text)) WHERE id > $1`,
          [from],
        );
        const embeddings = vectors.slice(from, from + ROWS_A_STATEMENT);
        const values = embeddings.map((_, i) => `(${from + i + 1}, 0, 0, 0, $${i + 1}::vector)`);
        await sql(`INSERT INTO vectors.bench VALUES ${values.join()}`, embeddings.map(toBinary));
      }
    });
    return seconds;
  } finally {
    await drop();
  }
}

/** A parameter of the type vector as it is sent in binary. */
function toBinary(vector: Float32Array): Buffer {
  const bytes = Buffer.alloc(4 + 4 * vector.length);
  bytes.writeUInt16BE(vector.length, 0);
  vector.forEach((value, i) => bytes.writeFloatBE(value, 4 + 4 * i));
  return bytes;
}

interface Ingested {
  seconds: number;
  /** Bytes. */
  platformPeak: number;
  cliPeak: number;
  /** Milliseconds of a small query that was asked again and again. */
  probes: number[];
}

async function ingestFile(platform: Platform, file: string, options: string[]): Promise<Ingested> {
  const env = { ...process.env, ML_URL: platform.url, NO_COLOR: "1" };
  const began = performance.now();
  const child = spawn(process.execPath, [CLI, "ingest", file, ...options, "--json"], { env });
  const exit = once(child, "exit");
  const output = Promise.all([readAllText(child.stdout), readAllText(child.stderr)]);
  const probes: number[] = [];
  let cliPeak = 0;
  let running = true;
  void exit.then(() => (running = false));
  while (running) {
    cliPeak = Math.max(cliPeak, peakBytes(child.pid!));
    const asked = performance.now();
    await platform.query("{ collections { edges { node { documentCount } } } }");
    probes.push(performance.now() - asked);
    await Promise.race([exit, delay(PROBE_EVERY_MS)]);
  }
  const seconds = (performance.now() - began) / 1000;
  const [, stderr] = await output;
  if (child.exitCode !== 0) throw new Error(`254carbon ingest ended with ${child.exitCode}: ${stderr}`);
  return { seconds, probes, cliPeak, platformPeak: peakBytes(platform.pid) };
}

/** Most memory that a process has had; 0 where there is no /proc, or the process has ended. */
function peakBytes(pid: number): number {
  try {
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) * 1024;
  } catch {
    return 0;
  }
}

function megabytes(bytes: number): string {
  return bytes === 0 ? "not measured" : `${(bytes / 1e6).toFixed(0)} MB`;
}

async function timed<T>(work: () => Promise<T>): Promise<{ result: T; seconds: number }> {
  const start = performance.now();
  const result = await work();
  return { result, seconds: (performance.now() - start) / 1000 };
}
