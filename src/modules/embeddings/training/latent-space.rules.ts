import { inverseFrequencies, weigh } from "./term-weights.rules.js";
import type { TermCounts } from "./term-weights.rules.js";
import { truncatedSvd } from "./truncated-svd.rules.js";
import type { SvdOptions } from "./truncated-svd.rules.js";

export interface LatentSpace {
  /** What the texts carry, at most what was asked for. */
  dimensions: number;
  /** Vector of each term, row-major [terms, dimensions]. */
  vectors: Float32Array;
  /** Weight of each term: its inverse document frequency. */
  weights: Float32Array;
  /** Share of the texts' weight that the dimensions hold, 0 to 1. */
  explained: number;
}

/**
 * Latent semantic analysis: the leading right singular vectors of texts by terms, each entry (1 + ln count) x
 * inverse document frequency, each text of unit length.
 */
export function findLatentSpace(counts: TermCounts, options: SvdOptions): LatentSpace {
  const weights = inverseFrequencies(counts);
  const matrix = weigh(counts, weights);
  const { singularValues, rightVectors } = truncatedSvd(matrix, options);
  const held = singularValues.reduce((sum, value) => sum + value * value, 0);
  const whole = matrix.values.reduce((sum, value) => sum + value * value, 0);
  return { dimensions: singularValues.length, vectors: rightVectors, weights, explained: held / whole };
}

/** What a term adds to a text's vector: its own times its weight. @returns row-major [terms, dimensions] */
export function projectionOf({ dimensions, vectors, weights }: LatentSpace): Float32Array {
  return vectors.map((value, i) => value * weights[Math.floor(i / dimensions)]!);
}
