import type { Pooling } from "./embedder-options.js";
import { halfToNumber } from "./half-float.js";
import type { TensorValue } from "./tensor.js";

/** How a graph's output becomes one vector for each text. */
export interface PoolingStep {
  /** Name of the output: [texts, width] for NONE, else [texts, tokens, width]. */
  output: string;
  pooling: Pooling;
  /** Tokens of each text; what lies behind them is padding. */
  lengths: readonly number[];
  /** How many of a vector's numbers to keep, the first ones. */
  dimensions: number;
  /** Scale what is kept to unit length; a vector of zeros stays one. */
  normalize: boolean;
}

/**
 * @param output FLOAT32, FLOAT64 or FLOAT16
 * @returns row-major [texts, dimensions]
 */
export function poolVectors(output: TensorValue, step: PoolingStep): Float32Array {
  const { lengths, dimensions, pooling } = step;
  const numbers = toNumbers(output);
  const [, tokens, width] =
    pooling === "NONE" ? [0, 1, output.shape[1]!] : (output.shape as [0, number, number]);
  const vectors = new Float32Array(lengths.length * dimensions);
  for (const [text, length] of lengths.entries()) {
    const vector = vectors.subarray(text * dimensions, (text + 1) * dimensions);
    const start = text * tokens * width;
    if (pooling === "MEAN") average(numbers, start, length, width, vector);
    else {
      const token = pooling === "LAST" ? Math.max(0, length - 1) : 0;
      for (let i = 0; i < dimensions; i++) vector[i] = numbers[start + token * width + i]!;
    }
    if (step.normalize) normalise(vector);
  }
  return vectors;
}

function average(
  numbers: Float32Array | Float64Array,
  start: number,
  length: number,
  width: number,
  vector: Float32Array,
): void {
  const sums = new Float64Array(vector.length);
  for (let token = 0; token < length; token++) {
    const offset = start + token * width;
    for (let i = 0; i < sums.length; i++) sums[i]! += numbers[offset + i]!;
  }
  for (let i = 0; i < sums.length; i++) vector[i] = sums[i]! / Math.max(1, length);
}

function normalise(vector: Float32Array): void {
  let square = 0;
  for (const value of vector) square += value * value;
  if (square === 0) return;
  const scale = 1 / Math.sqrt(square);
  for (let i = 0; i < vector.length; i++) vector[i]! *= scale;
}

/** Every half-precision number by its bits: an output holds millions, and a look-up costs a tenth of the sum. */
let halves: Float32Array | undefined;

function toNumbers({ type, data }: TensorValue): Float32Array | Float64Array {
  if (type !== "FLOAT16") return data as Float32Array | Float64Array;
  halves ??= Float32Array.from({ length: 65_536 }, (_, bits) => halfToNumber(bits));
  const numbers = new Float32Array(data.length);
  for (let i = 0; i < numbers.length; i++) numbers[i] = halves[(data as Uint16Array)[i]!]!;
  return numbers;
}
