/** A binary tree with a vector at each leaf, as parallel arrays over its nodes; node 0 is the root. */
export interface RegressionTree {
  /** Feature that a node splits on; -1 at a leaf. */
  feature: number[];
  /** A value at or below goes left. */
  threshold: number[];
  left: number[];
  right: number[];
  /** Leaf values, [nodes][outputs]; empty at a branch. */
  values: Float32Array[];
}

/** Rows of features with their cut points found, ready for trees to grow on. */
export interface BinnedRows {
  rows: number;
  features: number;
  /** Row-major [rows, features]: bin of each value. */
  bins: Uint8Array;
  /** For each feature, ascending: bin b holds the values at or below cut b and above cut b - 1. */
  cuts: Float32Array[];
}

export interface TreeShape {
  depth: number;
  /** Rows that each leaf must keep. */
  leastRows: number;
  /** Added to the count of rows where a leaf's mean is taken. */
  shrinkage: number;
  learningRate: number;
}

const MOST_BINS = 32;

/** Cuts each feature into bins of about as many rows each. @param values row-major [rows, features] */
export function binRows(values: Float32Array, features: number): BinnedRows {
  const rows = values.length / features;
  const bins = new Uint8Array(values.length);
  const column = new Float32Array(rows);
  const cuts: Float32Array[] = [];
  for (let feature = 0; feature < features; feature++) {
    for (let row = 0; row < rows; row++) column[row] = values[row * features + feature]!;
    const found = quantileCuts(column.slice().sort());
    cuts.push(found);
    for (let row = 0; row < rows; row++) bins[row * features + feature] = binOf(column[row]!, found);
  }
  return { rows, features, bins, cuts };
}

/** Midpoints, so that the rounding of a feature cannot move it across a cut. */
function quantileCuts(sorted: Float32Array): Float32Array {
  const cuts: number[] = [];
  for (let bin = 1; bin < MOST_BINS; bin++) {
    const at = Math.floor((bin * sorted.length) / MOST_BINS);
    if (at === 0 || sorted[at]! === sorted[at - 1]!) continue;
    const cut = Math.fround((sorted[at]! + sorted[at - 1]!) / 2);
    if (cut < sorted[at]! && cut !== cuts.at(-1)) cuts.push(cut);
  }
  return Float32Array.from(cuts);
}

function binOf(value: number, cuts: Float32Array): number {
  let low = 0;
  let high = cuts.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (value <= cuts[middle]!) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Leaf values of the row's leaf. @param row one row of features */
export function leafOf(tree: RegressionTree, row: Float32Array): Float32Array {
  let node = 0;
  while (tree.feature[node]! >= 0) {
    node = row[tree.feature[node]!]! <= tree.threshold[node]! ? tree.left[node]! : tree.right[node]!;
  }
  return tree.values[node]!;
}

/**
 * Grows one tree on the residuals of some rows by the largest fall of the squared error, summed over
 * outputs, and takes what it explains off the residuals of all rows.
 * @param residuals row-major [rows, outputs], changed in place
 * @param sample rows to grow on
 */
export function growTree(
  data: BinnedRows,
  residuals: Float64Array,
  sample: Int32Array,
  shape: TreeShape,
): RegressionTree {
  const outputs = residuals.length / data.rows;
  const tree: RegressionTree = { feature: [], threshold: [], left: [], right: [], values: [] };
  const grow = (rows: Int32Array, depth: number): number => {
    const node = tree.feature.push(-1) - 1;
    tree.threshold.push(0);
    tree.left.push(0);
    tree.right.push(0);
    tree.values.push(new Float32Array(0));
    const split = depth < shape.depth ? bestSplit(data, residuals, rows, outputs, shape) : undefined;
    if (!split) {
      tree.values[node] = leafValues(residuals, rows, outputs, shape);
      return node;
    }
    const goesLeft = (row: number) => data.bins[row * data.features + split.feature]! <= split.bin;
    tree.feature[node] = split.feature;
    tree.threshold[node] = data.cuts[split.feature]![split.bin]!;
    tree.left[node] = grow(rows.filter(goesLeft), depth + 1);
    tree.right[node] = grow(
      rows.filter((row) => !goesLeft(row)),
      depth + 1,
    );
    return node;
  };
  grow(sample, 0);
  return tree;
}

function leafValues(
  residuals: Float64Array,
  rows: Int32Array,
  outputs: number,
  shape: TreeShape,
): Float32Array {
  const sums = new Float64Array(outputs);
  for (const row of rows) for (let k = 0; k < outputs; k++) sums[k]! += residuals[row * outputs + k]!;
  return Float32Array.from(sums, (sum) => (shape.learningRate * sum) / (rows.length + shape.shrinkage));
}

function bestSplit(
  data: BinnedRows,
  residuals: Float64Array,
  rows: Int32Array,
  outputs: number,
  shape: TreeShape,
): { feature: number; bin: number } | undefined {
  const stride = outputs + 1;
  const histogram = new Float64Array(MOST_BINS * stride);
  const left = new Float64Array(stride);
  const total = new Float64Array(stride);
  const gainOf = (sums: Float64Array, of: Float64Array | undefined, count: number) => {
    let squares = 0;
    for (let k = 0; k < outputs; k++) squares += (of ? of[k]! - sums[k]! : sums[k]!) ** 2;
    return squares / (count + shape.shrinkage);
  };
  let best: { feature: number; bin: number } | undefined;
  let bestGain = 0;
  for (let feature = 0; feature < data.features; feature++) {
    const cuts = data.cuts[feature]!.length;
    if (cuts === 0) continue;
    histogram.fill(0);
    for (const row of rows) {
      const at = data.bins[row * data.features + feature]! * stride;
      for (let k = 0; k < outputs; k++) histogram[at + k]! += residuals[row * outputs + k]!;
      histogram[at + outputs]!++;
    }
    total.fill(0);
    for (let i = 0; i < (cuts + 1) * stride; i++) total[i % stride]! += histogram[i]!;
    const whole = gainOf(total, undefined, rows.length);
    bestGain = Math.max(bestGain, whole);
    left.fill(0);
    for (let bin = 0; bin < cuts; bin++) {
      for (let k = 0; k < stride; k++) left[k]! += histogram[bin * stride + k]!;
      const count = left[outputs]!;
      if (count < shape.leastRows || rows.length - count < shape.leastRows) continue;
      const gain = gainOf(left, undefined, count) + gainOf(left, total, rows.length - count);
      if (gain > bestGain * (1 + 1e-12)) {
        bestGain = gain;
        best = { feature, bin };
      }
    }
  }
  return best;
}
