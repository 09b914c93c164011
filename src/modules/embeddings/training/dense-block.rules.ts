/** A pivot below this part of the largest means that the column depends on those before it. */
const DEPENDENT = 1e-9;

/** Makes the columns of a row-major block orthonormal (Cholesky QR); those that depend on others become zero. */
export function orthonormalise(block: Float32Array, rows: number, width: number): void {
  const inverse = inverseCholesky(gram(block, rows, width), width);
  block.set(times(block, rows, inverse, width, { upperTriangular: true }));
}

/** Transposed block times block. @returns row-major [width, width] */
export function gram(block: Float32Array, rows: number, width: number): Float64Array {
  const product = new Float64Array(width * width);
  // Four rows at a time: most of the work is to fetch and store sums.
  const whole = rows - (rows % 4);
  for (let a = 0; a < whole * width; a += 4 * width) {
    const [b, c, d] = [a + width, a + 2 * width, a + 3 * width];
    for (let i = 0; i < width; i++) {
      const [va, vb, vc, vd] = [block[a + i]!, block[b + i]!, block[c + i]!, block[d + i]!];
      const into = i * width;
      for (let j = i; j < width; j++)
        product[into + j]! +=
          va * block[a + j]! + vb * block[b + j]! + vc * block[c + j]! + vd * block[d + j]!;
    }
  }
  for (let row = whole; row < rows; row++) {
    for (let i = 0; i < width; i++) {
      const value = block[row * width + i]!;
      for (let j = i; j < width; j++) product[i * width + j]! += value * block[row * width + j]!;
    }
  }
  for (let i = 0; i < width; i++)
    for (let j = 0; j < i; j++) product[i * width + j] = product[j * width + i]!;
  return product;
}

/**
 * Product of row-major matrices.
 * @param left [rows, right.length / columns]
 * @param right [right.length / columns, columns]; upperTriangular: below its diagonal it is zero
 * @returns [rows, columns]
 */
export function times(
  left: Float32Array,
  rows: number,
  right: Float64Array,
  columns: number,
  { upperTriangular = false } = {},
): Float32Array {
  const product = new Float32Array(rows * columns);
  const sum = new Float64Array(columns);
  const inner = right.length / columns;
  const whole = inner - (inner % 4);
  for (let row = 0; row < rows; row++) {
    sum.fill(0);
    const at = row * inner;
    for (let i = 0; i < whole; i += 4) {
      const [va, vb, vc, vd] = [left[at + i]!, left[at + i + 1]!, left[at + i + 2]!, left[at + i + 3]!];
      const [a, b, c, d] = [i * columns, (i + 1) * columns, (i + 2) * columns, (i + 3) * columns];
      for (let j = upperTriangular ? i : 0; j < columns; j++)
        sum[j]! += va * right[a + j]! + vb * right[b + j]! + vc * right[c + j]! + vd * right[d + j]!;
    }
    for (let i = whole; i < inner; i++) {
      const value = left[at + i]!;
      for (let j = 0; j < columns; j++) sum[j]! += value * right[i * columns + j]!;
    }
    product.set(sum, row * columns);
  }
  return product;
}

/** @param matrix row-major [rows, columns] @returns row-major [columns, rows] */
export function transposed(matrix: Float32Array, rows: number, columns: number): Float64Array {
  const turned = new Float64Array(matrix.length);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      turned[column * rows + row] = matrix[row * columns + column]!;
  return turned;
}

/** The inverse of the upper triangular R with transposed R times R = symmetric; zero columns for dependent ones. */
function inverseCholesky(symmetric: Float64Array, size: number): Float64Array {
  const factor = cholesky(symmetric, size);
  const inverse = new Float64Array(size * size);
  for (let column = 0; column < size; column++) {
    const pivot = factor[column * size + column]!;
    if (pivot === 0) continue;
    inverse[column * size + column] = 1 / pivot;
    for (let row = column - 1; row >= 0; row--) {
      if (factor[row * size + row] === 0) continue;
      let sum = 0;
      for (let i = row + 1; i <= column; i++) sum += factor[row * size + i]! * inverse[i * size + column]!;
      inverse[row * size + column] = -sum / factor[row * size + row]!;
    }
  }
  return inverse;
}

/** Upper triangular, row-major; a row is zero where its column depends on those before it. */
function cholesky(symmetric: Float64Array, size: number): Float64Array {
  const factor = new Float64Array(size * size);
  let largest = 0;
  for (let i = 0; i < size; i++) largest = Math.max(largest, symmetric[i * size + i]!);
  for (let row = 0; row < size; row++) {
    const rest = symmetric.slice(row * size, (row + 1) * size);
    for (let above = 0; above < row; above++) {
      const by = factor[above * size + row]!;
      if (by === 0) continue;
      for (let column = row; column < size; column++) rest[column]! -= by * factor[above * size + column]!;
    }
    if (rest[row]! <= DEPENDENT * largest) continue;
    const pivot = Math.sqrt(rest[row]!);
    for (let column = row; column < size; column++) factor[row * size + column] = rest[column]! / pivot;
  }
  return factor;
}
