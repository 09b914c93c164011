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

/** Rows of features, cut into bins of about as many rows each, ready for trees to grow on. */
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

/** @param values row-major [rows, features] */
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

/** Cuts lie midway between values, so that the last bit of a feature does not decide on which side it falls. */
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

/** Values of the leaf that a row falls into. @param rows row-major features; the row starts at `at` */
export function leafOf(tree: RegressionTree, rows: Float32Array, at = 0): Float32Array {
  let node = 0;
  while (tree.feature[node]! >= 0) {
    const value = rows[at + tree.feature[node]!]!;
    node = value <= tree.threshold[node]! ? tree.left[node]! : tree.right[node]!;
  }
  return tree.values[node]!;
}

/** Rows of one node, and for each feature and bin the sums of their residuals and their count. */
interface GrowingNode {
  rows: Int32Array;
  /** [features, bins, outputs + 1] */
  histogram: Float64Array;
}

interface Split {
  feature: number;
  bin: number;
}

/** Grows trees on one set of rows by the largest fall of the squared error, summed over the outputs. */
export class TreeGrower {
  private readonly stride: number;

  /** @param residuals row-major [rows, outputs]; read anew for each tree */
  constructor(
    private readonly data: BinnedRows,
    private readonly residuals: Float64Array,
    private readonly shape: TreeShape,
  ) {
    this.stride = residuals.length / data.rows + 1;
  }

  /** @param sample rows to grow on */
  grow(sample: Int32Array): RegressionTree {
    const tree: RegressionTree = { feature: [], threshold: [], left: [], right: [], values: [] };
    this.growNode(tree, { rows: sample, histogram: this.histogram(sample) }, 0);
    return tree;
  }

  private growNode(tree: RegressionTree, grown: GrowingNode, depth: number): number {
    const node = tree.feature.push(-1) - 1;
    tree.threshold.push(0);
    tree.left.push(0);
    tree.right.push(0);
    tree.values.push(new Float32Array(0));
    const split = depth < this.shape.depth ? this.bestSplit(grown) : undefined;
    if (!split) {
      tree.values[node] = this.leafValues(grown.rows);
      return node;
    }
    const [left, right] = this.divide(grown, split, depth + 1 < this.shape.depth);
    tree.feature[node] = split.feature;
    tree.threshold[node] = this.data.cuts[split.feature]![split.bin]!;
    tree.left[node] = this.growNode(tree, left, depth + 1);
    tree.right[node] = this.growNode(tree, right, depth + 1);
    return node;
  }

  private divide(parent: GrowingNode, split: Split, needed: boolean): [GrowingNode, GrowingNode] {
    const { left, right } = this.partition(parent.rows, split);
    if (!needed) {
      return [
        { rows: left, histogram: parent.histogram },
        { rows: right, histogram: parent.histogram },
      ];
    }
    // Only the smaller side is counted; the other is what remains of the parent.
    const counted = this.histogram(left.length <= right.length ? left : right);
    const rest = parent.histogram;
    for (let i = 0; i < rest.length; i++) rest[i]! -= counted[i]!;
    return left.length <= right.length
      ? [
          { rows: left, histogram: counted },
          { rows: right, histogram: rest },
        ]
      : [
          { rows: left, histogram: rest },
          { rows: right, histogram: counted },
        ];
  }

  private partition(rows: Int32Array, { feature, bin }: Split): { left: Int32Array; right: Int32Array } {
    const { bins, features } = this.data;
    const left = new Int32Array(rows.length);
    const right = new Int32Array(rows.length);
    let lefts = 0;
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i]!;
      if (bins[row * features + feature]! <= bin) left[lefts++] = row;
      else right[i - lefts] = row;
    }
    return { left: left.subarray(0, lefts), right: right.subarray(0, rows.length - lefts) };
  }

  private histogram(rows: Int32Array): Float64Array {
    const { data, residuals, stride } = this;
    const { bins, features } = data;
    const outputs = stride - 1;
    const histogram = new Float64Array(features * MOST_BINS * stride);
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i]!;
      for (let feature = 0; feature < features; feature++) {
        const at = (feature * MOST_BINS + bins[row * features + feature]!) * stride;
        for (let k = 0; k < outputs; k++) histogram[at + k]! += residuals[row * outputs + k]!;
        histogram[at + outputs]!++;
      }
    }
    return histogram;
  }

  private leafValues(rows: Int32Array): Float32Array {
    const outputs = this.stride - 1;
    const sums = new Float64Array(outputs);
    for (const row of rows) {
      for (let k = 0; k < outputs; k++) sums[k]! += this.residuals[row * outputs + k]!;
    }
    const { learningRate, shrinkage } = this.shape;
    return Float32Array.from(sums, (sum) => (learningRate * sum) / (rows.length + shrinkage));
  }

  private bestSplit({ rows, histogram }: GrowingNode): Split | undefined {
    const { stride } = this;
    const { leastRows, shrinkage } = this.shape;
    const outputs = stride - 1;
    const total = new Float64Array(stride);
    for (let i = 0; i < MOST_BINS * stride; i++) total[i % stride]! += histogram[i]!;
    let least = 0;
    for (let k = 0; k < outputs; k++) least += total[k]! ** 2;
    let bestGain = (least / (rows.length + shrinkage)) * (1 + 1e-9);
    let best: Split | undefined;
    const left = new Float64Array(stride);
    for (let feature = 0; feature < this.data.features; feature++) {
      left.fill(0);
      for (let bin = 0; bin < this.data.cuts[feature]!.length; bin++) {
        const at = (feature * MOST_BINS + bin) * stride;
        for (let k = 0; k < stride; k++) left[k]! += histogram[at + k]!;
        const count = left[outputs]!;
        if (count < leastRows) continue;
        if (rows.length - count < leastRows) break;
        let leftSquares = 0;
        let rightSquares = 0;
        for (let k = 0; k < outputs; k++) {
          leftSquares += left[k]! ** 2;
          rightSquares += (total[k]! - left[k]!) ** 2;
        }
        const gain = leftSquares / (count + shrinkage) + rightSquares / (rows.length - count + shrinkage);
        if (gain > bestGain) {
          bestGain = gain;
          best = { feature, bin };
        }
      }
    }
    return best;
  }
}
