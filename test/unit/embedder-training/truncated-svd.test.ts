import { Matrix, SVD } from "ml-matrix";
import type { SparseMatrix } from "../../../src/modules/embeddings/training/sparse-matrix.rules.js";
import { truncatedSvd } from "../../../src/modules/embeddings/training/truncated-svd.rules.js";
import { randomNumbers } from "../../../src/shared/random-numbers.js";

/** About a third of the entries are not 0, and the columns differ in size. */
function sparse(rows: number, columns: number, seed = 1): SparseMatrix {
  const random = randomNumbers(seed);
  const [starts, indices, values] = [[0], [] as number[], [] as number[]];
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      if (random() > 0.35) continue;
      indices.push(column);
      values.push(random() * 3 * 0.8 ** column + 0.01);
    }
    starts.push(indices.length);
  }
  return {
    rows,
    columns,
    starts: Uint32Array.from(starts),
    indices: Uint32Array.from(indices),
    values: Float32Array.from(values),
  };
}

function dense({ rows, columns, starts, indices, values }: SparseMatrix): Matrix {
  const matrix = Matrix.zeros(rows, columns);
  for (let row = 0; row < rows; row++)
    for (let entry = starts[row]!; entry < starts[row + 1]!; entry++)
      matrix.set(row, indices[entry]!, values[entry]!);
  return matrix;
}

test.each([
  [60, 20],
  [18, 50],
])("finds the leading part of the decomposition of a %i x %i matrix", (rows, columns) => {
  const matrix = sparse(rows, columns);
  const exact = new SVD(dense(matrix), { autoTranspose: true });
  const { singularValues, rightVectors } = truncatedSvd(matrix, { rank: 6, random: randomNumbers(7) });
  expect(singularValues).toHaveLength(6);
  singularValues.forEach((value, i) => expect(value).toBeCloseTo(exact.diagonal[i]!, 4));
  for (let component = 0; component < 6; component++) {
    const found = Array.from({ length: columns }, (_, column) => rightVectors[column * 6 + component]!);
    const expected = exact.rightSingularVectors.getColumn(component);
    const cosine = found.reduce((sum, value, i) => sum + value * expected[i]!, 0);
    expect(Math.abs(cosine)).toBeCloseTo(1, 4);
    expect(Math.max(...found)).toBe(Math.max(...found.map(Math.abs)));
  }
});

test("gives as many as the matrix has, not noise, when more are asked for", () => {
  const twice = sparse(12, 30);
  const matrix: SparseMatrix = {
    ...twice,
    rows: 24,
    starts: Uint32Array.from([
      ...twice.starts,
      ...twice.starts.slice(1).map((at) => at + twice.indices.length),
    ]),
    indices: Uint32Array.from([...twice.indices, ...twice.indices]),
    values: Float32Array.from([...twice.values, ...twice.values]),
  };
  const { singularValues } = truncatedSvd(matrix, { rank: 24, random: randomNumbers(7) });
  expect(singularValues).toHaveLength(12);
});

test("is the same to the bit for the same seed", () => {
  const matrix = sparse(200, 120);
  const [one, again] = [1, 2].map(() => truncatedSvd(matrix, { rank: 16, random: randomNumbers(3) }));
  expect(again).toEqual(one);
});
