import { inverseFrequencies, weigh } from "./term-weights.rules.js";
import type { TermCounts } from "./term-weights.rules.js";
import { truncatedSvd } from "./truncated-svd.rules.js";
import type { SvdOptions } from "./truncated-svd.rules.js";

export interface LatentSpace {
  /** What the texts carry, at most what was asked for. */
  dimensions: number;
  /** Weighted vector of each term, row-major [terms, dimensions]. */
  projection: Float32Array;
  /** Share of the texts' weight that the dimensions hold, 0 to 1. */
  explained: number;
}

/**
 * Latent semantic analysis: the leading right singular vectors of texts by terms, each entry (1 + ln count) x
 * inverse document frequency, each text of unit length.
 */
export function findLatentSpace(counts: TermCounts, options: SvdOptions): LatentSpace {
  const frequencies = inverseFrequencies(counts);
  const matrix = weigh(counts, frequencies);
  const { singularValues, rightVectors } = truncatedSvd(matrix, options);
  const dimensions = singularValues.length;
  const projection = rightVectors.map((value, i) => value * frequencies[Math.floor(i / dimensions)]!);
  const held = singularValues.reduce((sum, value) => sum + value * value, 0);
  const whole = matrix.values.reduce((sum, value) => sum + value * value, 0);
  return { dimensions, projection, explained: held / whole };
}
