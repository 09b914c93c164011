import { tuneContrastively } from "../../../src/modules/embeddings/training/contrastive-tuning.rules.js";
import { multiply } from "../../../src/modules/embeddings/training/sparse-matrix.rules.js";
import { countTerms, weigh } from "../../../src/modules/embeddings/training/term-weights.rules.js";
import { randomNumbers } from "../../../src/shared/random-numbers.js";

const [terms, dimensions, length] = [300, 16, 40];
const random = randomNumbers(11);
const weights = new Float32Array(terms).fill(1);
const itself = Int32Array.from(weights, (_, term) => term);
/** Every text takes its words from a part of the vocabulary of its own, and from a part that all share. */
const texts = Array.from({ length: 64 }, (_, text) =>
  Uint32Array.from({ length }, () =>
    random() < 0.5 ? Math.floor(random() * 60) : 60 + ((text * 3 + Math.floor(random() * 12)) % 240),
  ),
);

/** Share of texts whose first eight words are nearer to their last eight than to those of any other text. */
function found(vectors: Float32Array): number {
  const embed = (part: (text: Uint32Array) => Uint32Array) =>
    multiply(weigh(countTerms(texts.map(part), itself, terms), weights), vectors, dimensions);
  const [starts, ends] = [embed((text) => text.slice(0, 8)), embed((text) => text.slice(-8))];
  const row = (block: Float32Array, i: number) => block.subarray(i * dimensions, (i + 1) * dimensions);
  const cosine = (a: Float32Array, b: Float32Array) =>
    a.reduce((sum, value, i) => sum + value * b[i]!, 0) / (Math.hypot(...a) * Math.hypot(...b));
  const hits = texts.filter((_, i) => {
    const own = cosine(row(starts, i), row(ends, i));
    return texts.every((_, j) => j === i || cosine(row(starts, i), row(ends, j)) < own);
  });
  return hits.length / texts.length;
}

test("texts are told apart better by their parts than before", () => {
  const vectors = Float32Array.from({ length: terms * dimensions }, () => random() - 0.5);
  const before = found(vectors);
  const fractions: number[] = [];
  for (let round = 0; round < 5; round++) {
    tuneContrastively(vectors, texts, {
      weights,
      dimensions,
      random,
      onProgress: (fraction) => fractions.push(fraction),
    });
  }
  expect(found(vectors)).toBeGreaterThan(before + 0.15);
  expect(fractions.at(-1)).toBe(1);
});

test("too few texts are left as they are", () => {
  const vectors = Float32Array.from({ length: terms * dimensions }, () => random() - 0.5);
  const before = vectors.slice();
  tuneContrastively(vectors, texts.slice(0, 20), { weights, dimensions, random });
  expect(vectors).toEqual(before);
});
