import type { CurveForecaster } from "./curve-forecaster.rules.js";
import type { CurveFeatures } from "./curve-features.rules.js";
import type { CurveGraph } from "./curve-graph.rules.js";
import type { CurvePanel } from "./curve-panel.rules.js";
import { ensembleWeights } from "./ensemble-weights.rules.js";
import type { ForecasterType } from "./forecaster.types.js";

export interface EnsembleMember {
  type: ForecasterType;
  forecaster: CurveForecaster;
}

/**
 * A weighted mean of other forecasters. Weights, one set for each horizon, come from the errors of forecasts
 * that the members made at past origins, each before it had seen the outcome. Until there are such errors the
 * first member speaks alone.
 */
export class Ensemble implements CurveForecaster {
  private readonly pending = new Map<number, Float64Array[]>();
  /** For each horizon, sums of products of the members' errors in units of scale. */
  private readonly products: Float64Array[];
  private weights: Float64Array[];

  constructor(
    private readonly panel: CurvePanel,
    private readonly features: CurveFeatures,
    private readonly horizons: readonly number[],
    private readonly members: readonly EnsembleMember[],
    private readonly shrinkage: number,
  ) {
    this.products = horizons.map(() => new Float64Array(members.length ** 2));
    this.weights = this.products.map((products) => ensembleWeights(products, members.length, shrinkage));
  }

  observe(date: number): void {
    this.horizons.forEach((horizon, h) => this.settle(date, horizon, h));
    for (const { forecaster } of this.members) forecaster.observe(date);
  }

  refit(): void {
    this.weights = this.products.map((products) =>
      ensembleWeights(products, this.members.length, this.shrinkage),
    );
    for (const { forecaster } of this.members) forecaster.refit();
  }

  forecast(origin: number): Float64Array {
    const forecasts = this.members.map(({ forecaster }) => forecaster.forecast(origin));
    this.pending.set(origin, forecasts);
    this.pending.delete(origin - Math.max(...this.horizons) - 1);
    const means = new Float64Array(forecasts[0]!.length);
    forecasts.forEach((forecast, m) => {
      for (let cell = 0; cell < means.length; cell++) {
        means[cell]! += this.weights[Math.floor(cell / this.panel.width)]![m]! * forecast[cell]!;
      }
    });
    return means;
  }

  emit(graph: CurveGraph): string {
    return this.members
      .map(({ forecaster }, m) => {
        const weights = graph.constant(
          [1, this.horizons.length, 1],
          this.weights.map((byMember) => byMember[m]!),
        );
        return graph.multiply(forecaster.emit(graph), weights);
      })
      .reduce((sum, term) => graph.add(sum, term));
  }

  describe(): { name: string; value: string }[] {
    return this.horizons.map((horizon, h) => ({
      name: `weights_h${horizon}`,
      value: this.members.map(({ type }, m) => `${type} ${this.weights[h]![m]!.toFixed(3)}`).join(", "),
    }));
  }

  private settle(date: number, horizon: number, h: number): void {
    const origin = date - horizon;
    const forecasts = this.pending.get(origin);
    const { scale } = this.features.at(Math.max(origin, 0));
    if (!forecasts || scale === 0) return;
    const products = this.products[h]!;
    const errors = new Float64Array(this.members.length);
    for (let tenor = 0; tenor < this.panel.width; tenor++) {
      const outcome = this.panel.quote(date, tenor);
      forecasts.forEach((forecast, m) => {
        errors[m] = (outcome - forecast[h * this.panel.width + tenor]!) / scale;
      });
      if (errors.some(Number.isNaN)) continue;
      for (let i = 0; i < errors.length; i++) {
        for (let j = 0; j < errors.length; j++) products[i * errors.length + j]! += errors[i]! * errors[j]!;
      }
    }
  }
}
