import type { CurveGraph } from "./curve-graph.rules.js";

/** A pivot below this share of its diagonal element means that the quoted tenors do not identify the factors. */
const SINGULAR = 1e-10;

/**
 * Ordinary least squares of one curve on factor loadings, over the tenors that have a value.
 * @param loadings row-major [tenors, factors]
 * @param curve [tenors], NaN for a blank
 * @returns factors; NaN when the quoted tenors do not identify them
 */
export function maskedLeastSquares(
  loadings: Float64Array,
  factors: number,
  curve: Float64Array,
): Float64Array {
  const normal = new Float64Array(factors * factors);
  const moment = new Float64Array(factors);
  for (let tenor = 0; tenor < curve.length; tenor++) {
    const value = curve[tenor]!;
    if (Number.isNaN(value)) continue;
    for (let i = 0; i < factors; i++) {
      const loading = loadings[tenor * factors + i]!;
      moment[i]! += loading * value;
      for (let j = 0; j < factors; j++) normal[i * factors + j]! += loading * loadings[tenor * factors + j]!;
    }
  }
  const diagonal = Float64Array.from(moment, (_, i) => normal[i * factors + i]!);
  for (let pivot = 0; pivot < factors; pivot++) {
    const size = normal[pivot * factors + pivot]!;
    if (!(size > SINGULAR * diagonal[pivot]!)) return moment.fill(Number.NaN);
    for (let row = pivot + 1; row < factors; row++) {
      const ratio = normal[row * factors + pivot]! / size;
      for (let j = pivot; j < factors; j++)
        normal[row * factors + j]! -= ratio * normal[pivot * factors + j]!;
      moment[row]! -= ratio * moment[pivot]!;
    }
  }
  for (let row = factors - 1; row >= 0; row--) {
    for (let j = row + 1; j < factors; j++) moment[row]! -= normal[row * factors + j]! * moment[j]!;
    moment[row]! /= normal[row * factors + row]!;
  }
  return moment;
}

/**
 * The same in the graph, where no operator solves equations: Gaussian elimination unrolled, each element a column.
 * @returns factors of the curve at the origin, [N, factors]
 */
export function emitMaskedLeastSquares(graph: CurveGraph, loadings: Float64Array, factors: number): string {
  const tenors = loadings.length / factors;
  const products = new Float64Array(tenors * factors * factors);
  for (let tenor = 0; tenor < tenors; tenor++) {
    for (let i = 0; i < factors; i++) {
      for (let j = 0; j < factors; j++) {
        products[(tenor * factors + i) * factors + j] =
          loadings[tenor * factors + i]! * loadings[tenor * factors + j]!;
      }
    }
  }
  const blank = graph.onnx.node("IsNaN", [graph.level()]);
  const values = graph.where(blank, graph.scalar(0), graph.level());
  const normals = graph.product(graph.quoted(), graph.constant([tenors, factors * factors], products));
  const moments = graph.product(values, graph.constant([tenors, factors], loadings));
  const column = (matrix: string, i: number) => graph.columns(matrix, i, i + 1);
  const normal = Array.from({ length: factors }, (_, i) =>
    Array.from({ length: factors }, (_, j) => column(normals, i * factors + j)),
  );
  const moment = Array.from({ length: factors }, (_, i) => column(moments, i));
  return graph.concat(emitElimination(graph, normal, moment), 1);
}

function emitElimination(graph: CurveGraph, normal: string[][], moment: string[]): string[] {
  const factors = moment.length;
  const diagonal = normal.map((row, i) => row[i]!);
  for (let pivot = 0; pivot < factors; pivot++) {
    const least = graph.multiply(diagonal[pivot]!, graph.scalar(SINGULAR));
    const regular = graph.onnx.node("Greater", [normal[pivot]![pivot]!, least]);
    const size = graph.where(regular, normal[pivot]![pivot]!, graph.scalar(Number.NaN));
    normal[pivot]![pivot] = size;
    for (let row = pivot + 1; row < factors; row++) {
      const ratio = graph.divide(normal[row]![pivot]!, size);
      for (let j = pivot + 1; j < factors; j++) {
        normal[row]![j] = graph.subtract(normal[row]![j]!, graph.multiply(ratio, normal[pivot]![j]!));
      }
      moment[row] = graph.subtract(moment[row]!, graph.multiply(ratio, moment[pivot]!));
    }
  }
  for (let row = factors - 1; row >= 0; row--) {
    for (let j = row + 1; j < factors; j++) {
      moment[row] = graph.subtract(moment[row]!, graph.multiply(normal[row]![j]!, moment[j]!));
    }
    moment[row] = graph.divide(moment[row]!, normal[row]![row]!);
  }
  return moment;
}
