import "reflect-metadata";
import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { MemoryCache } from "../../src/adapters/embedded/memory-cache.js";
import { createOnnxInferenceRuntime } from "../../src/adapters/onnx/onnx-inference-runtime.js";
import { EmbeddingService } from "../../src/modules/embeddings/index.js";
import type { ServedVersion } from "../../src/modules/models/index.js";
import type { InferenceRuntime } from "../../src/ports/inference-runtime.js";
import { encoder, miniLmShape } from "../support/encoder-models.js";
import { smallVocabulary, wordPieceTokenizer } from "../support/tokenizers.js";
import { median, quantile } from "./bench-table.js";
import type { BenchTable } from "./bench-table.js";
import { RawEncoder } from "./raw-encoder.js";

const threads = availableParallelism();
const [fewestTokens, mostTokens] = [10, 256];
const batchSizes = [1, 8, 16];
/** Passages by which the best batch size of plain onnxruntime is found. */
const trialPassages = 80;
/** Both sides take turns, so that a busy machine slows both. */
const rounds = 4;
const queries = 200;

/** The embedding service beside plain onnxruntime-node, which is handed tokens and forms the same kind of batches. */
export async function embeddingBench({ passages = 2_000 }: { passages?: number } = {}): Promise<BenchTable> {
  const folder = await mkdtemp(join(tmpdir(), "embedding-bench-"));
  const runtime = createOnnxInferenceRuntime({
    cacheBytes: 1e9,
    queueLimit: 1_000,
    validation: { timeoutMs: 60_000, memoryBytes: 4e9 },
  });
  const embeddings = new EmbeddingService(runtime, { cache: new MemoryCache(0), seconds: 1 });
  try {
    const version = await makeVersion(runtime, folder);
    const texts = makeTexts(passages, fewestTokens, mostTokens);
    const throughput = await compareThroughput(embeddings, version, texts);
    const latency = await measureQueries(embeddings, version, texts);
    return toTable(passages, throughput, latency);
  } finally {
    await embeddings.close();
    await runtime.close();
    await rm(folder, { recursive: true });
  }
}

async function makeVersion(runtime: InferenceRuntime, folder: string): Promise<ServedVersion> {
  const tokenizer = wordPieceTokenizer(vocabulary);
  const path = join(folder, "model.onnx");
  const graph = encoder(miniLmShape);
  await writeFile(path, graph);
  await writeFile(join(folder, "tokenizer.json"), tokenizer);
  const source = { key: "mini-lm", path, bytes: graph.byteLength };
  const { signature } = await runtime.warm(source);
  const file = {
    name: "tokenizer.json",
    sha256: createHash("sha256").update(tokenizer).digest("hex"),
    bytes: tokenizer.byteLength,
  };
  const embedder = {
    ...{ pooling: "MEAN", normalize: true, queryPrefix: "", passagePrefix: "" },
    ...{ maxTokens: mostTokens, dimensions: miniLmShape.width },
  };
  const version = { id: "mini-lm", number: 1, files: [file], embedder };
  const model = { name: "mini_lm", kind: "TEXT_EMBEDDER" };
  return { model, version, signature, source } as unknown as ServedVersion;
}

/** Known words and signs, then made-up words up to the size of the vocabulary. */
export const vocabulary = [
  ...smallVocabulary(),
  ...Array.from({ length: miniLmShape.vocabulary - smallVocabulary().length }, (_, i) => madeUpWord(i)),
];

function madeUpWord(number: number): string {
  const syllables = ["ba", "de", "fi", "go", "lu", "mar", "nes", "pol", "qui", "ros", "ten", "vas"];
  let word = "";
  for (let rest = number + 1_000; rest > 0; rest = Math.floor(rest / syllables.length)) {
    word += syllables[rest % syllables.length];
  }
  return word;
}

/** Texts whose numbers of tokens, special ones included, are spread evenly. */
export function makeTexts(count: number, fewest: number, most: number): string[] {
  let state = 254;
  const random = (below: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const words = vocabulary.filter((word) => /^[a-z]{2,}$/.test(word));
  return Array.from({ length: count }, () => {
    const tokens = fewest + random(most - fewest + 1) - 2;
    return Array.from({ length: tokens }, () => words[random(words.length)]!).join(" ");
  });
}

interface Throughput {
  /** Passages per second. */
  service: number;
  raw: number;
  rawLayout: string;
}

/** A session for each thread, or all threads for one session. */
const layouts = threads > 1 ? ([[threads, 1], [1, threads]] as const) : ([[1, 1]] as const); // prettier-ignore

async function compareThroughput(
  embeddings: EmbeddingService,
  version: ServedVersion,
  texts: readonly string[],
): Promise<Throughput> {
  const encodings = texts.map(idsOf);
  const raw = (await tuneRaw(version.source.path, encodings)).map((side) => ({ ...side, seconds: 0 }));
  try {
    await embeddings.embed(version, texts.slice(0, 50), { role: "PASSAGE", priority: "bulk" });
    let seconds = 0;
    const size = Math.ceil(texts.length / rounds);
    for (let start = 0; start < texts.length; start += size) {
      for (const side of raw) {
        side.seconds += await side.raw.run(encodings.slice(start, start + size), side.batchSize);
      }
      const began = performance.now();
      await embeddings.embed(version, texts.slice(start, start + size), {
        role: "PASSAGE",
        priority: "bulk",
      });
      seconds += (performance.now() - began) / 1000;
    }
    const best = raw.reduce((a, b) => (b.seconds < a.seconds ? b : a));
    return { service: texts.length / seconds, raw: texts.length / best.seconds, rawLayout: best.name };
  } finally {
    await Promise.all(raw.map((side) => side.raw.close()));
  }
}

interface TunedRawEncoder {
  raw: RawEncoder;
  name: string;
  batchSize: number;
  /** Of the trial. */
  seconds: number;
}

/** The layout and the batch size that are fastest on some of the texts. */
export async function bestRaw(path: string, encodings: readonly Int32Array[]): Promise<TunedRawEncoder> {
  const [best, ...others] = (await tuneRaw(path, encodings)).sort((a, b) => a.seconds - b.seconds);
  await Promise.all(others.map(({ raw }) => raw.close()));
  return best!;
}

/** Each layout with its best batch size. */
async function tuneRaw(path: string, encodings: readonly Int32Array[]): Promise<TunedRawEncoder[]> {
  const sample = encodings.slice(0, trialPassages);
  const tuned: TunedRawEncoder[] = [];
  for (const [sessions, intraOpThreads] of layouts) {
    const raw = await RawEncoder.start(path, sessions, intraOpThreads);
    await raw.run(sample.slice(0, 20), 1);
    const fastest = batchSizes.map(() => Infinity);
    for (let turn = 0; turn < 2; turn++) {
      for (const [i, size] of batchSizes.entries()) {
        fastest[i] = Math.min(fastest[i]!, await raw.run(sample, size));
      }
    }
    const seconds = Math.min(...fastest);
    const batchSize = batchSizes[fastest.indexOf(seconds)]!;
    const name = `${sessions} x ${intraOpThreads} threads, batches of ${batchSize}`;
    tuned.push({ raw, name, batchSize, seconds });
  }
  return tuned;
}

const idByWord = new Map(vocabulary.map((word, id) => [word, id]));

export function idsOf(text: string): Int32Array {
  const special = (token: string) => idByWord.get(token)!;
  return Int32Array.from([
    special("[CLS]"),
    ...text.split(" ").map((word) => special(word)),
    special("[SEP]"),
  ]);
}

interface Latency {
  /** Milliseconds. */
  idle: number[];
  beside: number[];
}

async function measureQueries(
  embeddings: EmbeddingService,
  version: ServedVersion,
  texts: readonly string[],
): Promise<Latency> {
  const asked = makeTexts(queries, 6, 16);
  const idle = await ask(embeddings, version, asked);
  const stop = new AbortController();
  const bulk = (async () => {
    while (!stop.signal.aborted) {
      await embeddings.embed(version, texts, { role: "PASSAGE", priority: "bulk", signal: stop.signal });
    }
  })().catch(() => undefined);
  const beside = await ask(embeddings, version, asked);
  stop.abort();
  await bulk;
  return { idle, beside };
}

async function ask(
  embeddings: EmbeddingService,
  version: ServedVersion,
  texts: readonly string[],
): Promise<number[]> {
  const times: number[] = [];
  for (const text of texts) {
    const start = performance.now();
    await embeddings.embed(version, [text], { role: "QUERY", priority: "interactive", cache: false });
    times.push(performance.now() - start);
    await delay(10);
  }
  return times;
}

function toTable(
  passages: number,
  { service, raw, rawLayout }: Throughput,
  { idle, beside }: Latency,
): BenchTable {
  const [idle95, beside95] = [quantile(idle, 0.95), quantile(beside, 0.95)];
  const ms = (value: number) => `${value.toFixed(1)} ms`;
  return {
    title: `Embedding: an encoder of MiniLM-L6's shape, ${threads} threads`,
    rows: [
      {
        name: `${passages} passages of ${fewestTokens} to ${mostTokens} tokens: service / plain onnxruntime-node (${rawLayout})`,
        value: `${(service / raw).toFixed(2)}  (${service.toFixed(1)} / ${raw.toFixed(1)} passages/s)`,
        target: ">= 0.9",
      },
      { name: "a query, nothing else going on: median, p95", value: `${ms(median(idle))}, ${ms(idle95)}` },
      { name: "a query beside bulk embedding: median, p95", value: `${ms(median(beside))}, ${ms(beside95)}` },
      { name: "p95 beside bulk / p95 idle", value: (beside95 / idle95).toFixed(2), target: "<= 3" },
    ],
  };
}
