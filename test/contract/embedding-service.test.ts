import "reflect-metadata";
import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { createOnnxInferenceRuntime } from "../../src/adapters/onnx/onnx-inference-runtime.js";
import { MemoryCache } from "../../src/adapters/embedded/memory-cache.js";
import { EmbeddingService } from "../../src/modules/embeddings/index.js";
import type { EmbedOptions } from "../../src/modules/embeddings/index.js";
import type { ServedVersion } from "../../src/modules/models/index.js";
import type { InferenceRuntime } from "../../src/ports/inference-runtime.js";
import { encoder, tinyShape } from "../support/encoder-models.js";
import { ModelFolder } from "../support/onnx-models.js";
import { smallVocabulary, wordPieceTokenizer } from "../support/tokenizers.js";

// What the graph does not show: bulk work, which jobs ask for, beside what people ask for.
let folder: ModelFolder;
let runtime: InferenceRuntime;
let embeddings: EmbeddingService;
let version: ServedVersion;
/** Texts of each run, in the order in which they ended. */
let runs: number[];

beforeAll(async () => {
  folder = await ModelFolder.create();
  runtime = createOnnxInferenceRuntime({
    workers: 1,
    cacheBytes: 1e9,
    queueLimit: 100,
    validation: { timeoutMs: 20_000, memoryBytes: 1e9 },
    onRun: ({ batchRows }) => runs.push(batchRows),
  });
  version = await makeVersion();
});
beforeEach(() => {
  runs = [];
  embeddings = new EmbeddingService(runtime, { cache: new MemoryCache(1e6), seconds: 60 });
});
afterEach(() => embeddings.close());
afterAll(async () => {
  await runtime.close();
  await folder.remove();
});

async function makeVersion(): Promise<ServedVersion> {
  const shape = { ...tinyShape, width: 192, layers: 3, heads: 4, intermediate: 768 };
  const source = await folder.add("encoder", encoder(shape));
  const tokenizer = wordPieceTokenizer();
  await writeFile(join(dirname(source.path), "tokenizer.json"), tokenizer);
  const { signature } = await runtime.warm(source);
  const sha256 = createHash("sha256").update(tokenizer).digest("hex");
  const embedder = {
    ...{ pooling: "MEAN", normalize: true, queryPrefix: "", passagePrefix: "price of " },
    ...{ maxTokens: 64, dimensions: 192 },
  };
  const files = [{ name: "tokenizer.json", sha256, bytes: tokenizer.byteLength }];
  return {
    model: { name: "encoder", kind: "TEXT_EMBEDDER" },
    version: { id: "version", number: 1, files, embedder },
    signature,
    source,
  } as unknown as ServedVersion;
}

const bulk: EmbedOptions = { role: "PASSAGE", priority: "bulk" };
const interactive: EmbedOptions = { role: "QUERY", priority: "interactive" };
const words = smallVocabulary().filter((word) => /^[a-z]{3,}$/.test(word));

function makeTexts(count: number, name: string): string[] {
  return Array.from({ length: count }, (_, i) =>
    [name, i, ...Array.from({ length: 1 + ((i * 7) % 40) }, (__, k) => words[(i + k) % words.length])].join(
      " ",
    ),
  );
}

test("queries are answered while bulk work goes on, and bulk work ends all the same", async () => {
  let isDone = false;
  const texts = makeTexts(400, "bulk");
  const work = embeddings.embed(version, texts, bulk).finally(() => (isDone = true));
  for (const text of makeTexts(5, "query")) {
    await embeddings.embed(version, [text], interactive);
    expect(isDone).toBe(false);
  }
  const vectors = await work;
  expect(vectors).toHaveLength(400);
  const [alone] = await embeddings.embed(version, [texts[123]!], bulk);
  vectors[123]!.vector.forEach((value, i) => expect(value).toBeCloseTo(alone!.vector[i]!, 5));
});

test("texts of about the same length share runs, which stay short", async () => {
  await embeddings.embed(version, makeTexts(200, "some"), bulk);
  runs = [];
  await embeddings.embed(version, makeTexts(200, "others"), bulk);
  expect(runs.reduce((sum, texts) => sum + texts, 0)).toBe(200);
  expect(runs.length).toBeLessThan(100);
});

test("what a caller wanted that went away is not computed, unless others want it too", async () => {
  const [leaving, shared] = [makeTexts(300, "leaving"), makeTexts(10, "shared")];
  const left = new AbortController();
  const abandoned = embeddings.embed(version, [...leaving, ...shared], { ...bulk, signal: left.signal });
  const kept = embeddings.embed(version, shared, bulk);
  setImmediate(() => left.abort(new Error("gone")));
  await expect(abandoned).rejects.toThrow("gone");
  expect(await kept).toHaveLength(10);
  await embeddings.embed(version, ["last"], bulk);
  expect(runs.reduce((sum, texts) => sum + texts, 0)).toBeLessThan(300);
});

test("a caller that has gone already is not served", async () => {
  const signal = AbortSignal.abort(new Error("gone"));
  await expect(embeddings.embed(version, ["gas"], { ...bulk, signal })).rejects.toThrow("gone");
  expect(runs).toEqual([]);
});

test("bulk work leaves the vectors that are kept alone", async () => {
  await embeddings.embed(version, ["gas"], { ...interactive, role: "PASSAGE" });
  await embeddings.embed(version, ["gas"], { ...interactive, role: "PASSAGE" });
  expect(runs).toHaveLength(1);
  await embeddings.embed(version, ["gas"], bulk);
  expect(runs).toHaveLength(2);
  await embeddings.embed(version, ["gas"], { ...bulk, cache: true });
  expect(runs).toHaveLength(2);
});

test("passages leave room for the prefix and for what is put before them, and are never cut off", async () => {
  const sentence = (i: number) => `The ${words.slice(i % 40, (i % 40) + 8).join(" ")}.`;
  const text = Array.from({ length: 60 }, (_, i) => sentence(i)).join(" ");
  const lead = "storage in europe";
  const documents = [{ text, lead }, { text }, { text: "gas rises" }, { text: "  " }];
  const [withLead, plain, short, none] = await embeddings.split(version, documents);
  expect(short).toEqual([{ start: 0, end: 9 }]);
  expect(none).toEqual([]);
  for (const [passages, before] of [
    [withLead!, `${lead}\n`],
    [plain!, ""],
  ] as const) {
    // prettier-ignore
    const texts = passages.map(({ start, end }) => before + text.slice(start, end));
    const embedded = await embeddings.embed(version, texts, { ...bulk, truncate: false });
    // 2 special tokens and 2 of the prefix; a passage takes whole sentences of 10 while they fit.
    for (const { tokens } of embedded.slice(0, -1)) expect(tokens).toBeGreaterThan(64 - 10);
    passages.slice(1).forEach(({ start }, i) => expect(start).toBeLessThanOrEqual(passages[i]!.end + 1));
  }
  const apart = await embeddings.split(version, [{ text }], { overlap: 0 });
  apart[0]!.slice(1).forEach(({ start }, i) => expect(start).toBe(apart[0]![i]!.end + 1));
});

test("a text of three megabytes is embedded by its beginning, without holding the caller's thread", async () => {
  const text = "gas prices rise. ".repeat(180_000);
  let longest = 0;
  let last = performance.now();
  const ticks = setInterval(() => {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  }, 1);
  const [[embedding], [passages]] = await Promise.all([
    embeddings.embed(version, [text], interactive),
    embeddings.split(version, [{ text: text.slice(0, 500_000) }]),
  ]);
  clearInterval(ticks);
  expect(embedding).toMatchObject({ tokens: 64, truncated: true });
  expect(passages!.length).toBeGreaterThan(1_000);
  expect(longest).toBeLessThan(500);
});
