import { Matrix, solve } from "ml-matrix";

/**
 * Weights, none negative and of sum 1, that make the combined squared error smallest.
 * @param products row-major [members, members]: sums of the products of the members' errors
 * @param pull towards all weight on the first member, in units of the members' mean squared error; without any
 *   error to go by the first member has it all
 */
export function ensembleWeights(products: Float64Array, members: number, pull: number): Float64Array {
  let best = Float64Array.from({ length: members }, (_, i) => (i === 0 ? 1 : 0));
  let trace = 0;
  for (let i = 0; i < members; i++) trace += products[i * members + i]!;
  if (!(trace > 0)) return best;
  // The jitter keeps members that agree in every forecast from making the equations singular.
  const penalty = pull + 1e-9;
  const quadratic = (i: number, j: number) =>
    (products[i * members + j]! * members) / trace + (i === j ? penalty : 0);
  let least = Number.POSITIVE_INFINITY;
  // So few members that every choice of those with a weight can be tried.
  for (let chosen = 1; chosen < 1 << members; chosen++) {
    const indices = Array.from(best.keys()).filter((i) => chosen & (1 << i));
    const weights = bestOf(indices, quadratic, penalty);
    if (weights.some((weight) => weight < 0)) continue;
    let loss = 0;
    indices.forEach((i, a) => {
      if (i === 0) loss -= 2 * penalty * weights[a]!;
      indices.forEach((j, b) => (loss += weights[a]! * weights[b]! * quadratic(i, j)));
    });
    if (loss >= least) continue;
    least = loss;
    best = new Float64Array(members);
    indices.forEach((i, a) => (best[i] = weights[a]!));
  }
  return best;
}

/** The best weights of sum 1 on some members, negative ones allowed, by the method of Lagrange. */
function bestOf(
  indices: readonly number[],
  quadratic: (i: number, j: number) => number,
  penalty: number,
): number[] {
  const right = new Matrix(indices.map((i) => [i === 0 ? penalty : 0, 1]));
  const solved = solve(new Matrix(indices.map((i) => indices.map((j) => quadratic(i, j)))), right);
  const [pulled, even] = [solved.getColumn(0), solved.getColumn(1)];
  const total = (values: number[]) => values.reduce((sum, each) => sum + each, 0);
  const multiplier = (1 - total(pulled)) / total(even);
  return pulled.map((weight, a) => weight + multiplier * even[a]!);
}
