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
  const sum = new Float64Array(width);
  for (let row = 0; row < rows; row++) {
    sum.fill(0);
    const end = starts[row + 1]!;
    let entry = starts[row]!;
    // Four entries at a time: most of the work is to fetch and store sums.
    for (; entry + 3 < end; entry += 4) {
      const [a, b] = [indices[entry]! * width, indices[entry + 1]! * width];
      const [c, d] = [indices[entry + 2]! * width, indices[entry + 3]! * width];
      const [va, vb, vc, vd] = [values[entry]!, values[entry + 1]!, values[entry + 2]!, values[entry + 3]!];
      for (let i = 0; i < width; i++)
        sum[i]! += va * block[a + i]! + vb * block[b + i]! + vc * block[c + i]! + vd * block[d + i]!;
    }
    for (; entry < end; entry++) {
      const [from, value] = [indices[entry]! * width, values[entry]!];
      for (let i = 0; i < width; i++) sum[i]! += value * block[from + i]!;
    }
    product.set(sum, row * width);
  }
  return product;
}

export function transpose({ rows, columns, starts, indices, values }: SparseMatrix): SparseMatrix {
  const turned: SparseMatrix = {
    rows: columns,
    columns: rows,
    starts: new Uint32Array(columns + 1),
    indices: new Uint32Array(indices.length),
    values: new Float32Array(values.length),
  };
  for (const column of indices) turned.starts[column + 1]!++;
  for (let column = 0; column < columns; column++) turned.starts[column + 1]! += turned.starts[column]!;
  const next = turned.starts.slice();
  for (let row = 0; row < rows; row++) {
    for (let entry = starts[row]!; entry < starts[row + 1]!; entry++) {
      const at = next[indices[entry]!]!++;
      turned.indices[at] = row;
      turned.values[at] = values[entry]!;
    }
  }
  return turned;
}
