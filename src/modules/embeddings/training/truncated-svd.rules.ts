import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { gram, orthonormalise, times } from "./dense-block.rules.js";
import { multiply, transpose } from "./sparse-matrix.rules.js";
import type { SparseMatrix } from "./sparse-matrix.rules.js";

export interface TruncatedSvd {
  /** Descending; as many as asked for, fewer where the matrix has no more. */
  singularValues: Float64Array;
  /** Right singular vectors, row-major [columns, singularValues.length]. */
  rightVectors: Float32Array;
}

export interface SvdOptions {
  rank: number;
  /** Uniform in [0, 1). */
  random: () => number;
  /** @param fraction 0 to 1 */
  onProgress?: (fraction: number) => void;
}

/** More directions than asked for make the last ones exact sooner. */
const OVERSAMPLING = 24;
const ITERATIONS = 4;
/** Singular values below this part of the first are noise of single precision. */
const NEGLIGIBLE = 1e-4;

/**
 * The leading right singular vectors of a sparse matrix by randomized subspace iteration
 * (Halko, Martinsson and Tropp 2011). Signs are fixed: the largest entry of each vector is positive.
 */
export function truncatedSvd(matrix: SparseMatrix, options: SvdOptions): TruncatedSvd {
  const { rank, random, onProgress = () => undefined } = options;
  const { rows, columns } = matrix;
  const width = Math.min(rank + OVERSAMPLING, rows, columns);
  // The basis is kept on the shorter side, where it is cheaper to orthonormalise.
  const tall = rows >= columns;
  const [there, back] = tall ? [matrix, transpose(matrix)] : [transpose(matrix), matrix];
  const size = there.columns;
  let basis: Float32Array = Float32Array.from({ length: size * width }, () => random() * 2 - 1);
  for (let iteration = 0; iteration < ITERATIONS; iteration++) {
    orthonormalise(basis, size, width);
    basis = multiply(back, multiply(there, basis, width), width);
    onProgress((iteration + 1) / (ITERATIONS + 1));
  }
  orthonormalise(basis, size, width);
  orthonormalise(basis, size, width);
  // Rayleigh-Ritz: within the basis the problem is small and dense.
  const image = multiply(there, basis, width);
  const { values, vectors } = descendingEigen(gram(image, there.rows, width), width);
  const singular = values.map((value) => Math.sqrt(Math.max(0, value)));
  const kept = singular.slice(0, Math.min(rank, width)).filter((value) => value > NEGLIGIBLE * singular[0]!);
  const rotation = firstColumns(vectors, width, kept.length);
  const rightVectors = times(tall ? basis : image, columns, rotation, kept.length);
  if (!tall) scaleColumns(rightVectors, columns, kept);
  fixSigns(rightVectors, columns, kept.length);
  onProgress(1);
  return { singularValues: kept, rightVectors };
}

function firstColumns(square: Float64Array, size: number, columns: number): Float64Array {
  const first = new Float64Array(size * columns);
  for (let row = 0; row < size; row++)
    first.set(square.subarray(row * size, row * size + columns), row * columns);
  return first;
}

/** Eigenvalues of a symmetric matrix, descending, and eigenvectors in the columns, row-major. */
function descendingEigen(symmetric: Float64Array, size: number) {
  const rows = Array.from({ length: size }, (_, i) =>
    Array.from(symmetric.subarray(i * size, (i + 1) * size)),
  );
  const decomposition = new EigenvalueDecomposition(new Matrix(rows), { assumeSymmetric: true });
  const eigenvalues = decomposition.realEigenvalues;
  const order = eigenvalues.map((_, i) => i).sort((a, b) => eigenvalues[b]! - eigenvalues[a]!);
  const found = decomposition.eigenvectorMatrix;
  const vectors = new Float64Array(size * size);
  order.forEach((from, column) => {
    for (let row = 0; row < size; row++) vectors[row * size + column] = found.get(row, from);
  });
  return { values: Float64Array.from(order, (i) => eigenvalues[i]!), vectors };
}

function scaleColumns(block: Float32Array, rows: number, by: Float64Array): void {
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < by.length; column++) block[row * by.length + column]! /= by[column]!;
  }
}

function fixSigns(vectors: Float32Array, rows: number, width: number): void {
  for (let column = 0; column < width; column++) {
    let largest = 0;
    for (let row = 0; row < rows; row++) {
      const entry = vectors[row * width + column]!;
      if (Math.abs(entry) > Math.abs(largest)) largest = entry;
    }
    if (largest >= 0) continue;
    for (let row = 0; row < rows; row++) vectors[row * width + column]! *= -1;
  }
}
