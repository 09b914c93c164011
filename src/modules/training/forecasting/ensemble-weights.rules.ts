import { Matrix, solve } from "ml-matrix";

/** Pull towards equal weights, as a share of the members' mean squared error. */
const EQUAL_PULL = 0.02;

/**
 * Weights, none negative and of sum 1, that make the combined squared error smallest.
 * @param products row-major [members, members]: sums of the products of the members' errors
 */
export function ensembleWeights(products: Float64Array, members: number): Float64Array {
  let trace = 0;
  for (let i = 0; i < members; i++) trace += products[i * members + i]!;
  const equal = new Float64Array(members).fill(1 / members);
  if (!(trace > 0)) return equal;
  const pull = (EQUAL_PULL * trace) / members;
  const at = (i: number, j: number) => products[i * members + j]! + (i === j ? pull : 0);
  let best = equal;
  let least = Number.POSITIVE_INFINITY;
  // So few members that every choice of those with a weight can be tried.
  for (let chosen = 1; chosen < 1 << members; chosen++) {
    const indices = Array.from(equal.keys()).filter((i) => chosen & (1 << i));
    const solution = solve(
      new Matrix(indices.map((i) => indices.map((j) => at(i, j)))),
      Matrix.ones(indices.length, 1),
    ).to1DArray();
    // The pull's linear term is the same for all members, so it drops out of weights that sum to 1.
    const total = solution.reduce((sum, each) => sum + each, 0);
    if (solution.some((each) => each / total < 0)) continue;
    const squaredError = 1 / total;
    if (squaredError < least) {
      least = squaredError;
      best = new Float64Array(members);
      indices.forEach((i, k) => (best[i] = solution[k]! / total));
    }
  }
  return best;
}
