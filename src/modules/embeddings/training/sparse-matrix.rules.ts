/** Rows of a sparse matrix, one behind the other (compressed sparse rows). */
export interface SparseMatrix {
  rows: number;
  columns: number;
  /** Where each row begins in the next two, and where the last one ends: [rows + 1]. */
  starts: Uint32Array;
  indices: Uint32Array;
  values: Float32Array;
}

/** Matrix times block. @param block row-major [columns, width] @returns row-major [rows, width] */
export function multiply(matrix: SparseMatrix, block: Float32Array, width: number): Float32Array {
  const { rows, starts, indices, values } = matrix;
  const product = new Float32Array(rows * width);
  for (let row = 0; row < rows; row++) {
    for (let entry = starts[row]!; entry < starts[row + 1]!; entry++) {
      addScaled(product, row * width, block, indices[entry]! * width, values[entry]!, width);
    }
  }
  return product;
}

/** Transposed matrix times block. @param block row-major [rows, width] @returns row-major [columns, width] */
export function multiplyTransposed(matrix: SparseMatrix, block: Float32Array, width: number): Float32Array {
  const { rows, columns, starts, indices, values } = matrix;
  const product = new Float32Array(columns * width);
  for (let row = 0; row < rows; row++) {
    for (let entry = starts[row]!; entry < starts[row + 1]!; entry++) {
      addScaled(product, indices[entry]! * width, block, row * width, values[entry]!, width);
    }
  }
  return product;
}

function addScaled(
  to: Float32Array,
  at: number,
  from: Float32Array,
  start: number,
  factor: number,
  width: number,
): void {
  for (let i = 0; i < width; i++) to[at + i]! += factor * from[start + i]!;
}
