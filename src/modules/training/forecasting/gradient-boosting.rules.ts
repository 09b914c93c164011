import type { CurveForecaster } from "./curve-forecaster.rules.js";
import type { CurveFeatures } from "./curve-features.rules.js";
import type { CurveGraph } from "./curve-graph.rules.js";
import type { CurvePanel } from "./curve-panel.rules.js";
import { OnnxType } from "../../../shared/onnx-graph.js";
import { randomNumbers } from "../../../shared/random-numbers.js";
import { binRows, leafOf, TreeGrower } from "./regression-tree.rules.js";
import type { RegressionTree } from "./regression-tree.rules.js";

export interface BoostingOptions {
  trees: number;
  depth: number;
  learningRate: number;
  /** Most outcomes that a fit looks at, spread evenly over the history: the cost of a fit stays the same as it grows. */
  sampleSize: number;
}

/** Share of the sample that each tree grows on. */
const BAG = 0.7;
const LEAST_LEAF_SHARE = 0.05;
const LEAST_LEAF_ROWS = 10;

/**
 * Gradient-boosted histogram trees, for each horizon one ensemble whose leaves hold the moves of the curve's
 * factors in units of the window's scale; each tenor moves from its quote by its loadings on them.
 */
export class GradientBoosting implements CurveForecaster {
  /** Dates whose outcome was seen. */
  private readonly outcomes: number[] = [];
  private ensembles: RegressionTree[][];

  constructor(
    private readonly panel: CurvePanel,
    private readonly features: CurveFeatures,
    private readonly horizons: readonly number[],
    private readonly options: BoostingOptions,
    private readonly seed: number,
  ) {
    this.ensembles = horizons.map(() => []);
  }

  observe(date: number): void {
    if (this.panel.quotedOn(date) > 0) this.outcomes.push(date);
  }

  refit(): void {
    const random = randomNumbers(this.seed);
    this.ensembles = this.horizons.map((horizon) => this.fit(horizon, random));
  }

  forecast(origin: number): Float64Array {
    const { width } = this.panel;
    const { common, scale } = this.features.at(origin);
    const row = Float32Array.from(common);
    const means = new Float64Array(this.horizons.length * width);
    this.ensembles.forEach((trees, h) => {
      const moves = new Float64Array(this.features.factors);
      for (const tree of trees) leafOf(tree, row).forEach((value, k) => (moves[k]! += value));
      for (let tenor = 0; tenor < width; tenor++) {
        const move = scale * this.features.curveAt(moves, tenor);
        means[h * width + tenor] = this.panel.carried(origin, 0, tenor) + move;
      }
    });
    return means;
  }

  emit(graph: CurveGraph): string {
    const { factors } = this.features;
    const row = graph.onnx.node("Cast", [this.features.emitCommon(graph)], {
      to: { int: OnnxType.FLOAT32 },
    });
    const sums = emitTrees(graph, row, this.ensembles, factors);
    const exact = graph.onnx.node("Cast", [sums], { to: { int: OnnxType.FLOAT64 } });
    const moves = graph.onnx.node("Reshape", [exact, graph.index([3], [0, this.horizons.length, factors])]);
    const scale = graph.unsqueeze(this.features.emitScale(graph), 1);
    const change = graph.multiply(graph.product(moves, this.features.emitLoadings(graph)), scale);
    return graph.add(graph.unsqueeze(graph.level(), 1), change);
  }

  describe(): { name: string; value: string }[] {
    return Object.entries(this.options).map(([name, value]) => ({ name, value: String(value) }));
  }

  private fit(horizon: number, random: () => number): RegressionTree[] {
    const { factors, commonCount } = this.features;
    const usable = this.outcomes.filter(
      (date) => date >= horizon && this.features.at(date - horizon).scale > 0,
    );
    const stride = Math.max(1, usable.length / this.options.sampleSize);
    const rows = Math.min(usable.length, this.options.sampleSize);
    const values = new Float32Array(rows * commonCount);
    const residuals = new Float64Array(rows * factors);
    for (let row = 0; row < rows; row++) {
      // Counted from the newest, which always belongs to the sample.
      const date = usable[usable.length - 1 - Math.floor(row * stride)]!;
      values.set(this.features.at(date - horizon).common, row * commonCount);
      residuals.set(this.moves(date, horizon), row * factors);
    }
    const data = binRows(values, commonCount);
    const shape = {
      depth: this.options.depth,
      learningRate: this.options.learningRate,
      leastRows: Math.max(LEAST_LEAF_ROWS, Math.ceil(LEAST_LEAF_SHARE * rows)),
      // Outcomes of neighbouring origins overlap, so that a leaf holds fewer independent ones than rows.
      shrinkage: Math.max(1, horizon / stride) * LEAST_LEAF_ROWS,
    };
    const grower = new TreeGrower(data, residuals, shape);
    return Array.from({ length: this.options.trees }, () => {
      const tree = grower.grow(bag(rows, random));
      for (let row = 0; row < rows; row++) {
        const leaf = leafOf(tree, values, row * commonCount);
        for (let k = 0; k < factors; k++) residuals[row * factors + k]! -= leaf[k]!;
      }
      return tree;
    });
  }

  /** Moves of the factors up to an outcome, in units of the scale at its origin. */
  private moves(date: number, horizon: number): Float64Array {
    const origin = date - horizon;
    const { scale } = this.features.at(origin);
    const change = new Float64Array(this.panel.width);
    for (let tenor = 0; tenor < change.length; tenor++) {
      change[tenor] = (this.panel.quote(date, tenor) - this.panel.carried(origin, 0, tenor)) / scale;
    }
    return this.features.factorsOf(change).map((move) => (Number.isNaN(move) ? 0 : move));
  }
}

/** A random part of the rows, in order. */
function bag(rows: number, random: () => number): Int32Array {
  const chosen = new Int32Array(rows);
  let count = 0;
  for (let row = 0; row < rows; row++) if (random() < BAG) chosen[count++] = row;
  return chosen.subarray(0, count);
}

/** All ensembles as one operator. @returns [N, ensembles * outputs] */
function emitTrees(graph: CurveGraph, row: string, ensembles: RegressionTree[][], outputs: number): string {
  const nodes = { tree: [], id: [], feature: [], yes: [], no: [] } as Record<string, number[]>;
  const thresholds: number[] = [];
  const modes: string[] = [];
  const leaves = { tree: [], id: [], output: [], weight: [] } as Record<string, number[]>;
  ensembles.flat().forEach((tree, t) => {
    const ensemble = ensembles.findIndex((trees) => trees.includes(tree));
    tree.feature.forEach((feature, node) => {
      nodes["tree"]!.push(t);
      nodes["id"]!.push(node);
      nodes["feature"]!.push(Math.max(feature, 0));
      nodes["yes"]!.push(tree.left[node]!);
      nodes["no"]!.push(tree.right[node]!);
      thresholds.push(tree.threshold[node]!);
      modes.push(feature < 0 ? "LEAF" : "BRANCH_LEQ");
      tree.values[node]!.forEach((weight, k) => {
        leaves["tree"]!.push(t);
        leaves["id"]!.push(node);
        leaves["output"]!.push(ensemble * outputs + k);
        leaves["weight"]!.push(weight);
      });
    });
  });
  const attributes = {
    n_targets: { int: ensembles.length * outputs },
    aggregate_function: { string: "SUM" },
    post_transform: { string: "NONE" },
    nodes_treeids: { ints: nodes["tree"]! },
    nodes_nodeids: { ints: nodes["id"]! },
    nodes_featureids: { ints: nodes["feature"]! },
    nodes_truenodeids: { ints: nodes["yes"]! },
    nodes_falsenodeids: { ints: nodes["no"]! },
    nodes_values: { floats: thresholds },
    nodes_modes: { strings: modes },
    target_treeids: { ints: leaves["tree"]! },
    target_nodeids: { ints: leaves["id"]! },
    target_ids: { ints: leaves["output"]! },
    target_weights: { floats: leaves["weight"]! },
  };
  return graph.onnx.node("TreeEnsembleRegressor", [row], attributes, { domain: "ai.onnx.ml" });
}
