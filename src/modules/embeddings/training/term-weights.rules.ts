import type { SparseMatrix } from "./sparse-matrix.rules.js";

/** Texts by terms: how often each term occurs in each text. */
export interface TermCounts {
  texts: number;
  terms: number;
  /** Where each text begins in the next two, and where the last one ends: [texts + 1]. */
  starts: Uint32Array;
  /** Ascending within a text. */
  indices: Uint32Array;
  counts: Float32Array;
}

/**
 * Counts terms.
 * @param texts numbers of words
 * @param termOf term of each word, below 0 for words that count for nothing
 */
export function countTerms(texts: readonly Uint32Array[], termOf: Int32Array, terms: number): TermCounts {
  const total = texts.reduce((sum, text) => sum + text.length, 0);
  const starts = new Uint32Array(texts.length + 1);
  const indices = new Uint32Array(total);
  const counts = new Float32Array(total);
  let entries = 0;
  texts.forEach((text, row) => {
    const sorted = Int32Array.from(text, (word) => termOf[word]!).sort();
    let last = -1;
    for (const term of sorted) {
      if (term < 0) continue;
      if (term !== last) indices[entries++] = last = term;
      counts[entries - 1]!++;
    }
    starts[row + 1] = entries;
  });
  return {
    texts: texts.length,
    terms,
    starts,
    indices: indices.slice(0, entries),
    counts: counts.slice(0, entries),
  };
}

/** Inverse document frequency of each term: ln((texts + 1) / texts with it). */
export function inverseFrequencies({ texts, terms, indices }: TermCounts): Float32Array {
  const frequencies = new Float32Array(terms);
  for (const term of indices) frequencies[term]!++;
  return frequencies.map((frequency) => (frequency > 0 ? Math.log((texts + 1) / frequency) : 0));
}

/** (1 + ln count) x weight of the term, each row scaled to unit length. */
export function weigh(counts: TermCounts, weights: Float32Array): SparseMatrix {
  const { texts, terms, starts, indices } = counts;
  const values = counts.counts.map((count, entry) => (1 + Math.log(count)) * weights[indices[entry]!]!);
  for (let row = 0; row < texts; row++) {
    const entries = values.subarray(starts[row], starts[row + 1]);
    const length = Math.sqrt(entries.reduce((sum, value) => sum + value * value, 0));
    if (length > 0) for (let entry = 0; entry < entries.length; entry++) entries[entry]! /= length;
  }
  return { rows: texts, columns: terms, starts, indices, values };
}
