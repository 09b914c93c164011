import { trainEmbedderInThread } from "../../../src/modules/embeddings/training/train-embedder-in-thread.js";
import { cosine, EmbedderRun } from "./embedder-run.js";
import { marketTexts } from "./market-texts.js";

const options = { dimensions: 24, seed: 5, language: "english" };
const texts = marketTexts(160);
let run: EmbedderRun;

beforeAll(async () => {
  run = await EmbedderRun.open(await trainEmbedderInThread(texts, options));
});
afterAll(() => run.close());

test("texts are near that share a subject, also without a word in common", async () => {
  const [gas, alike, carbon] = await run.embed(["methane cargo", "pipeline compressor", "allowance auction"]);
  expect(cosine(gas!, alike!)).toBeGreaterThan(0.5);
  expect(cosine(gas!, alike!)).toBeGreaterThan(cosine(gas!, carbon!) + 0.3);
});

test("inflections and unseen words that begin like known ones mean what those mean", async () => {
  const [known, inflected, accented, compound] = await run.embed([
    "compressor",
    "COMPRESSORS",
    "Compréssor!",
    "compressorwise",
  ]);
  expect(cosine(known!, inflected!)).toBeGreaterThan(0.999);
  expect(cosine(known!, accented!)).toBeGreaterThan(0.999);
  expect(cosine(known!, compound!)).toBeGreaterThan(0.9);
});

test("every vector has unit length, also of texts that say nothing", async () => {
  const odd = [
    "",
    "...",
    "qqq zzz",
    "\u0000",
    "\ud800",
    "你好",
    "x".repeat(5_000),
    "__proto__",
    "[PAD] [UNK]",
  ];
  for (const vector of await run.embed([...odd, ...texts.slice(0, 5)])) {
    expect(cosine(vector, vector)).toBeCloseTo(1, 5);
  }
  const [nothing, punctuation, text] = await run.embed(["", "?!", texts[0]!]);
  expect(cosine(nothing!, punctuation!)).toBeCloseTo(1, 5);
  expect(Math.abs(cosine(nothing!, text!))).toBeLessThan(0.5);
});

test("a text's vector depends neither on the texts beside it nor on padding", async () => {
  const together = await run.embed(texts.slice(0, 6), 40);
  for (const [i, vector] of together.entries()) {
    const [alone] = await run.embed([texts[i]!]);
    vector.forEach((value, axis) => expect(value).toBeCloseTo(alone![axis]!, 6));
  }
});

test("repeating a word counts, but less each time", async () => {
  const [once, often, gas] = await run.embed([
    "carbon pipeline",
    "carbon pipeline pipeline pipeline",
    "pipeline",
  ]);
  expect(cosine(often!, gas!)).toBeGreaterThan(cosine(once!, gas!));
  expect(cosine(often!, once!)).toBeGreaterThan(0.8);
});

test("words are tokens as they are, and no text is without a token", () => {
  expect(run.ids("")).toHaveLength(1);
  expect(run.ids("Gas storage -- withdrawal.")).toHaveLength(4);
  expect(run.ids("pipeline")).toEqual(run.ids(" PIPELINE? "));
});

test("training again gives the same bytes, in whatever pieces the texts come", async () => {
  async function* slowly() {
    for (const text of texts) yield await Promise.resolve(text);
  }
  const first = await trainEmbedderInThread(texts, options);
  const again = await trainEmbedderInThread(slowly(), options);
  expect(Buffer.compare(first.graph, again.graph)).toBe(0);
  expect(Buffer.compare(first.tokenizer, again.tokenizer)).toBe(0);
  expect(again.metrics).toEqual(first.metrics);
});

test("a small collection gets as many dimensions as it carries", async () => {
  const trained = await trainEmbedderInThread(marketTexts(12), { ...options, dimensions: 256 });
  expect(trained.options.dimensions).toBe(12);
  const small = await EmbedderRun.open(trained);
  const [vector] = await small.embed(["pipeline"]);
  expect(vector).toHaveLength(12);
  await small.close();
});

test("other languages are learned, too", async () => {
  const german = marketTexts(60).map((text) => text.replaceAll("pipeline", "Gasleitungen"));
  const trained = await EmbedderRun.open(
    await trainEmbedderInThread(german, { ...options, language: "german" }),
  );
  const [one, many] = await trained.embed(["Gasleitung", "Gasleitungen"]);
  expect(cosine(one!, many!)).toBeGreaterThan(0.9);
  await trained.close();
});
