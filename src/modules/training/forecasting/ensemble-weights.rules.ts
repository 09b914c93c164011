import { Matrix, solve } from "ml-matrix";

/**
 * Weights, none negative and of sum 1, that make the combined squared error smallest; without any error to go
 * by, all on the first member.
 * @param products row-major [members, members]: sums of the products of the members' errors
 * @param shrinkage pull towards equal weights, as a share of the members' mean squared error
 */
export function ensembleWeights(products: Float64Array, members: number, shrinkage: number): Float64Array {
  let trace = 0;
  for (let i = 0; i < members; i++) trace += products[i * members + i]!;
  const first = Float64Array.from({ length: members }, (_, i) => (i === 0 ? 1 : 0));
  if (!(trace > 0)) return first;
  const pull = (shrinkage * trace) / members + 1e-12 * trace;
  const at = (i: number, j: number) => products[i * members + j]! + (i === j ? pull : 0);
  let best = first;
  let least = Number.POSITIVE_INFINITY;
  // So few members that every choice of those with a weight can be tried.
  for (let chosen = 1; chosen < 1 << members; chosen++) {
    const indices = Array.from(first.keys()).filter((i) => chosen & (1 << i));
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
