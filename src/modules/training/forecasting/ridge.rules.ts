import { CholeskyDecomposition, Matrix } from "ml-matrix";
import type { CurveForecaster } from "./curve-forecaster.rules.js";
import { OWN_FEATURES } from "./curve-features.rules.js";
import type { CurveFeatures } from "./curve-features.rules.js";
import type { CurveGraph } from "./curve-graph.rules.js";
import type { CurvePanel } from "./curve-panel.rules.js";

/**
 * Direct h-step ridge regression of each tenor's change, in units of the window's scale, on factor levels,
 * recent factor changes and the tenor's own features. Blank outcomes are left out, tenor by tenor.
 */
export class Ridge implements CurveForecaster {
  private readonly moments: RegressionMoments[][];
  /** [horizons, tenors]: intercept, then a coefficient for each regressor. */
  private coefficients: Float64Array[][];
  private readonly row: Float64Array;

  /** @param lambda penalty, in independent observations of a standardised regressor */
  constructor(
    private readonly panel: CurvePanel,
    private readonly features: CurveFeatures,
    private readonly horizons: readonly number[],
    private readonly lambda: number,
  ) {
    const regressors = features.commonCount + OWN_FEATURES;
    this.row = new Float64Array(regressors);
    this.moments = horizons.map(() =>
      Array.from({ length: panel.width }, () => new RegressionMoments(regressors)),
    );
    this.coefficients = horizons.map(() =>
      Array.from({ length: panel.width }, () => new Float64Array(regressors + 1)),
    );
  }

  observe(date: number): void {
    this.horizons.forEach((horizon, h) => {
      const origin = date - horizon;
      if (origin < 0) return;
      const { scale } = this.features.at(origin);
      if (scale === 0) return;
      for (let tenor = 0; tenor < this.panel.width; tenor++) {
        const change = this.panel.quote(date, tenor) - this.panel.carried(origin, 0, tenor);
        if (!Number.isNaN(change))
          this.moments[h]![tenor]!.observe(this.regressors(origin, tenor), change / scale);
      }
    });
  }

  refit(): void {
    // Outcomes of neighbouring origins overlap: h of them hold about one independent observation.
    this.coefficients = this.moments.map((tenors, h) =>
      tenors.map((moments) => moments.solve(this.lambda * this.horizons[h]!)),
    );
  }

  forecast(origin: number): Float64Array {
    const { width } = this.panel;
    const { scale } = this.features.at(origin);
    const means = new Float64Array(this.horizons.length * width);
    for (let tenor = 0; tenor < width; tenor++) {
      const row = this.regressors(origin, tenor);
      const now = this.panel.carried(origin, 0, tenor);
      this.coefficients.forEach((byTenor, h) => {
        const coefficients = byTenor[tenor]!;
        let change = coefficients[0]!;
        for (let i = 0; i < row.length; i++) change += coefficients[i + 1]! * row[i]!;
        means[h * width + tenor] = now + scale * change;
      });
    }
    return means;
  }

  emit(graph: CurveGraph): string {
    const { horizons, tenors } = graph;
    const common = this.features.commonCount;
    const weights = new Float64Array(common * horizons * tenors);
    const intercepts = new Float64Array(horizons * tenors);
    this.eachCell((cell, coefficients) => {
      intercepts[cell] = coefficients[0]!;
      for (let i = 0; i < common; i++) weights[i * horizons * tenors + cell] = coefficients[i + 1]!;
    });
    const fromCommon = graph.add(
      graph.product(this.features.emitCommon(graph), graph.constant([common, horizons * tenors], weights)),
      graph.constant([1, horizons * tenors], intercepts),
    );
    let change = graph.byHorizon(fromCommon);
    this.features.emitOwn(graph).forEach((feature, i) => {
      const own = new Float64Array(horizons * tenors);
      this.eachCell((cell, coefficients) => (own[cell] = coefficients[1 + common + i]!));
      const weight = graph.constant([1, horizons, tenors], own);
      change = graph.add(change, graph.multiply(graph.unsqueeze(feature, 1), weight));
    });
    const scale = graph.unsqueeze(this.features.emitScale(graph), 1);
    return graph.add(graph.unsqueeze(graph.level(), 1), graph.multiply(change, scale));
  }

  describe(): { name: string; value: string }[] {
    return [{ name: "lambda", value: String(this.lambda) }];
  }

  private regressors(origin: number, tenor: number): Float64Array {
    const { common, own } = this.features.at(origin);
    this.row.set(common);
    for (let i = 0; i < OWN_FEATURES; i++) this.row[common.length + i] = own[tenor * OWN_FEATURES + i]!;
    return this.row;
  }

  private eachCell(visit: (cell: number, coefficients: Float64Array) => void): void {
    this.coefficients.forEach((byTenor, h) =>
      byTenor.forEach((coefficients, tenor) => visit(h * this.panel.width + tenor, coefficients)),
    );
  }
}

/** Sums that a ridge regression needs, updated one observation at a time. */
class RegressionMoments {
  private count = 0;
  private readonly sums: Float64Array;
  private readonly products: Float64Array;
  private outcomeSum = 0;
  private readonly outcomeProducts: Float64Array;

  constructor(private readonly regressors: number) {
    this.sums = new Float64Array(regressors);
    this.products = new Float64Array(regressors * regressors);
    this.outcomeProducts = new Float64Array(regressors);
  }

  observe(row: Float64Array, outcome: number): void {
    this.count++;
    this.outcomeSum += outcome;
    for (let i = 0; i < row.length; i++) {
      const value = row[i]!;
      this.sums[i]! += value;
      this.outcomeProducts[i]! += value * outcome;
      for (let j = 0; j <= i; j++) this.products[i * this.regressors + j]! += value * row[j]!;
    }
  }

  /** Ridge on standardised regressors. @returns intercept, then coefficients; zeros before any outcome */
  solve(penalty: number): Float64Array {
    const size = this.regressors;
    const solution = new Float64Array(size + 1);
    if (this.count === 0) return solution;
    const mean = this.sums.map((sum) => sum / this.count);
    const outcomeMean = this.outcomeSum / this.count;
    const covariance = (i: number, j: number) =>
      this.products[i * size + j]! - this.count * mean[i]! * mean[j]!;
    const spread = mean.map((_, i) => {
      const variance = covariance(i, i) / this.count;
      return variance > 1e-12 * (1 + mean[i]! ** 2) ? Math.sqrt(variance) : Number.POSITIVE_INFINITY;
    });
    const left = Matrix.zeros(size, size);
    const right = Matrix.zeros(size, 1);
    for (let i = 0; i < size; i++) {
      for (let j = 0; j <= i; j++) {
        const product = covariance(i, j) / (spread[i]! * spread[j]!);
        left.set(i, j, product);
        left.set(j, i, product);
      }
      left.set(i, i, left.get(i, i) + penalty + 1e-9 * this.count);
      right.set(i, 0, (this.outcomeProducts[i]! - this.count * mean[i]! * outcomeMean) / spread[i]!);
    }
    const standardised = new CholeskyDecomposition(left).solve(right);
    solution[0] = outcomeMean;
    for (let i = 0; i < size; i++) {
      solution[i + 1] = standardised.get(i, 0) / spread[i]!;
      solution[0]! -= solution[i + 1]! * mean[i]!;
    }
    return solution;
  }
}
