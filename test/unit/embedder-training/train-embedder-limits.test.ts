import { trainEmbedderInThread } from "../../../src/modules/embeddings/training/train-embedder-in-thread.js";
import { TrainingSample } from "../../../src/modules/embeddings/training/training-sample.js";
import { marketTexts } from "./market-texts.js";

const options = { dimensions: 24, seed: 5, language: "english" };
const manyWords = Array.from({ length: 60 }, (_, i) => `word${i}`).join(" ");

test.each([
  ["too few texts", marketTexts(9), "at least 10 texts with words to learn from; there are 9"],
  [
    "texts without words",
    Array.from({ length: 40 }, () => "... !"),
    "at least 10 texts with words to learn from",
  ],
  ["too few words", Array.from({ length: 40 }, (_, i) => `gas oil ${i % 5}`), "at least 50 different words"],
  [
    "texts that are the same",
    Array.from({ length: 40 }, () => manyWords),
    "texts that differ in their words",
  ],
])("%s are refused with the rule", async (_, texts, rule) => {
  await expect(trainEmbedderInThread(texts, options)).rejects.toMatchObject({
    code: "PRECONDITION_FAILED",
    message: expect.stringContaining(rule) as string,
  });
});

test.each([7, 1_025, 10.5])("%p dimensions are refused", async (dimensions) => {
  await expect(trainEmbedderInThread(marketTexts(20), { ...options, dimensions })).rejects.toMatchObject({
    code: "INVALID_INPUT",
    field: "dimensions",
  });
});

test("progress goes from 0 to 1 and never back", async () => {
  const fractions: number[] = [];
  await trainEmbedderInThread(marketTexts(60), options, {
    onProgress: (fraction) => fractions.push(fraction),
  });
  expect(fractions).toEqual(fractions.toSorted((a, b) => a - b));
  expect(fractions[0]).toBeLessThan(0.1);
  expect(fractions.at(-1)).toBe(1);
  expect(fractions.length).toBeGreaterThan(5);
});

test("an abort ends the training with its reason", async () => {
  const abort = new AbortController();
  const training = trainEmbedderInThread(marketTexts(2_000), options, {
    signal: abort.signal,
    onProgress: () => abort.abort(new Error("no longer wanted")),
  });
  await expect(training).rejects.toThrow("no longer wanted");
});

test("a failing source of texts ends the training", async () => {
  async function* failing() {
    yield await Promise.resolve("gas");
    throw new Error("the disk is gone");
  }
  await expect(trainEmbedderInThread(failing(), options)).rejects.toThrow("the disk is gone");
});

test("of more passages than there is room for, each has the same chance", () => {
  const hits = new Array<number>(100).fill(0);
  for (let seed = 0; seed < 400; seed++) {
    const sample = new TrainingSample(20, seed);
    const places = new Map<number, number>();
    for (let i = 0; i < 100; i++)
      for (const { place, text } of sample.draw(`${i}`)) places.set(place, Number(text));
    expect(places.size).toBe(20);
    for (const i of places.values()) hits[i]!++;
  }
  for (const count of hits) expect(Math.abs(count - 80)).toBeLessThan(45);
});

test("long texts are cut at white space into passages that lose nothing", () => {
  const text = Array.from({ length: 2_000 }, (_, i) => `word${i}`).join(" ");
  const passages = [...new TrainingSample(100, 1).draw(text)].map((passage) => passage.text);
  expect(passages.length).toBeGreaterThan(3);
  expect(passages.join("")).toBe(text);
  for (const passage of passages.slice(1)) expect(passage).toMatch(/^ word/);
});
