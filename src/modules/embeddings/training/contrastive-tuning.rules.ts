import { times, transposed } from "./dense-block.rules.js";
import { multiply } from "./sparse-matrix.rules.js";
import type { SparseMatrix } from "./sparse-matrix.rules.js";
import { countTerms, weigh } from "./term-weights.rules.js";

export interface TuningOptions {
  /** Weight of each term. */
  weights: Float32Array;
  /** Width of the vectors. */
  dimensions: number;
  /** Uniform in [0, 1). */
  random: () => number;
  /** @param fraction 0 to 1 */
  onProgress?: (fraction: number) => void;
}

const BATCH = 128;
const FEWEST_TEXTS = 32;
const EPOCHS = 8;
/** Beyond this, more texts no longer take longer. */
const MOST_STEPS = 200;
const RATE = 0.2;
const SHARPNESS = 10;
/** Terms. */
const SHORTEST_TEXT = 16;
const EXCERPT = { shortest: 4, longest: 13 };

/**
 * Moves the vectors of terms so that a few words taken from a text come nearer to that text than to others
 * (inverse cloze task, in-batch softmax over cosines, Adagrad): what sets texts apart gains on what they share.
 * @param vectors of terms, row-major [terms, dimensions]; changed in place
 * @param texts terms in order
 */
export function tuneContrastively(
  vectors: Float32Array,
  texts: readonly Uint32Array[],
  { weights, dimensions, random, onProgress = () => undefined }: TuningOptions,
): void {
  const usable = texts.filter(({ length }) => length >= SHORTEST_TEXT);
  if (usable.length < FEWEST_TEXTS) return;
  const size = Math.min(BATCH, usable.length);
  const steps = Math.min(MOST_STEPS, Math.floor((EPOCHS * usable.length) / size));
  const itself = Int32Array.from(weights, (_, term) => term);
  const rows = (batch: readonly Uint32Array[]) => weigh(countTerms(batch, itself, weights.length), weights);
  const descent = new Adagrad(vectors, dimensions);
  for (let step = 0, next = 0; step < steps; step++) {
    const pairs = Array.from({ length: size }, () => {
      if (next === 0) shuffle(usable, random);
      const text = usable[next]!;
      next = (next + 1) % usable.length;
      return excerptAndText(text, random);
    });
    const excerpts = rows(pairs.map(({ excerpt }) => excerpt));
    const wholes = rows(pairs.map(({ text }) => text));
    const slopes = contrast(
      unitRows(multiply(excerpts, vectors, dimensions), dimensions),
      unitRows(multiply(wholes, vectors, dimensions), dimensions),
      dimensions,
    );
    descent.collect(excerpts, slopes.excerpts);
    descent.collect(wholes, slopes.wholes);
    descent.move();
    onProgress((step + 1) / steps);
  }
}

/** A few words in a row, and the text with them or, every other time, without them. */
function excerptAndText(text: Uint32Array, random: () => number) {
  const span = EXCERPT.longest - EXCERPT.shortest + 1;
  const length = EXCERPT.shortest + Math.floor(random() * span);
  const start = Math.floor(random() * (text.length - length));
  const excerpt = text.subarray(start, start + length);
  if (random() < 0.5) return { excerpt, text };
  const rest = new Uint32Array(text.length - length);
  rest.set(text.subarray(0, start));
  rest.set(text.subarray(start + length), start);
  return { excerpt, text: rest };
}

interface UnitRows {
  /** Row-major. */
  rows: Float32Array;
  /** What each row was divided by. */
  lengths: Float32Array;
}

function unitRows(rows: Float32Array, width: number): UnitRows {
  const lengths = new Float32Array(rows.length / width);
  for (let row = 0; row < lengths.length; row++) {
    const part = rows.subarray(row * width, (row + 1) * width);
    lengths[row] = Math.sqrt(part.reduce((sum, value) => sum + value * value, 0)) + 1e-9;
    for (let i = 0; i < width; i++) part[i]! /= lengths[row]!;
  }
  return { rows, lengths };
}

/**
 * Slopes of the loss, mean cross entropy of finding the text by the excerpt and the excerpt by the text, along the
 * vectors before they were scaled.
 */
function contrast(excerpts: UnitRows, wholes: UnitRows, width: number) {
  const size = excerpts.lengths.length;
  const cosines = times(excerpts.rows, size, transposed(wholes.rows, size, width), size);
  // Cosines are at most 1, so that the exponential is safe.
  const similar = cosines.map((value) => Math.exp(SHARPNESS * (value - 1)));
  const [ofRow, ofColumn] = [new Float64Array(size), new Float64Array(size)];
  similar.forEach((value, at) => {
    ofRow[Math.floor(at / size)]! += value;
    ofColumn[at % size]! += value;
  });
  const slopes = similar.map((value, at) => {
    const [row, column] = [Math.floor(at / size), at % size];
    const surprise = value / ofRow[row]! + value / ofColumn[column]! - (row === column ? 2 : 0);
    return (surprise * SHARPNESS) / (2 * size);
  });
  const toExcerpts = times(slopes, size, Float64Array.from(wholes.rows), width);
  const turned = Float32Array.from(transposed(slopes, size, size));
  const toWholes = times(turned, size, Float64Array.from(excerpts.rows), width);
  return {
    excerpts: throughScaling(toExcerpts, excerpts, width),
    wholes: throughScaling(toWholes, wholes, width),
  };
}

/** The slope along a vector from that along the same at unit length. */
function throughScaling(slopes: Float32Array, { rows, lengths }: UnitRows, width: number): Float32Array {
  for (let row = 0; row < lengths.length; row++) {
    const at = row * width;
    let along = 0;
    for (let i = 0; i < width; i++) along += slopes[at + i]! * rows[at + i]!;
    for (let i = 0; i < width; i++)
      slopes[at + i] = (slopes[at + i]! - along * rows[at + i]!) / lengths[row]!;
  }
  return slopes;
}

/** Gradient descent of the rows that a step touches, each entry at a pace of its own. */
class Adagrad {
  private readonly slopes: Float32Array;
  private readonly squares: Float32Array;
  private readonly touched = new Set<number>();
  private readonly pace: number;

  constructor(
    private readonly vectors: Float32Array,
    private readonly width: number,
  ) {
    this.slopes = new Float32Array(vectors.length);
    this.squares = new Float32Array(vectors.length).fill(1e-8);
    this.pace = RATE * Math.sqrt(vectors.reduce((sum, value) => sum + value * value, 0) / vectors.length);
  }

  /** @param slopes along the products of the matrix with the vectors, row-major [matrix.rows, width] */
  collect({ rows, starts, indices, values }: SparseMatrix, slopes: Float32Array): void {
    for (let row = 0; row < rows; row++) {
      for (let entry = starts[row]!; entry < starts[row + 1]!; entry++) {
        const [to, from, factor] = [indices[entry]! * this.width, row * this.width, values[entry]!];
        this.touched.add(indices[entry]!);
        for (let i = 0; i < this.width; i++) this.slopes[to + i]! += factor * slopes[from + i]!;
      }
    }
  }

  move(): void {
    for (const row of this.touched) {
      for (let at = row * this.width; at < (row + 1) * this.width; at++) {
        const slope = this.slopes[at]!;
        this.squares[at]! += slope * slope;
        this.vectors[at]! -= (this.pace * slope) / Math.sqrt(this.squares[at]!);
        this.slopes[at] = 0;
      }
    }
    this.touched.clear();
  }
}

function shuffle<T>(items: T[], random: () => number): void {
  for (let i = items.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [items[i], items[j]] = [items[j]!, items[i]!];
  }
}
