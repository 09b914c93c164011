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
  /** For each horizon, how many outcomes went into them. */
  private readonly outcomes: number[];
  private weights: Float64Array[];

  constructor(
    private readonly panel: CurvePanel,
    private readonly features: CurveFeatures,
    private readonly horizons: readonly number[],
    private readonly members: readonly EnsembleMember[],
    private readonly shrinkage: number,
  ) {
    this.products = horizons.map(() => new Float64Array(members.length ** 2));
    this.outcomes = horizons.map(() => 0);
    this.weights = this.weigh();
  }

  observe(date: number): void {
    this.horizons.forEach((horizon, h) => this.settle(date, horizon, h));
    for (const { forecaster } of this.members) forecaster.observe(date);
  }

  refit(): void {
    this.weights = this.weigh();
    for (const { forecaster } of this.members) forecaster.refit();
  }

  forecast(origin: number): Float64Array {
    const forecasts = this.members.map(({ forecaster }) => forecaster.forecast(origin));
    this.pending.set(origin, forecasts);
    this.pending.delete(origin - Math.max(...this.horizons) - 1);
    const means = new Float64Array(forecasts[0]!.length);
    forecasts.forEach((forecast, m) => {
      for (let cell = 0; cell < means.length; cell++) {
        const weight = this.weights[Math.floor(cell / this.panel.width)]![m]!;
        means[cell]! += weight * this.orQuote(forecast[cell]!, origin, cell);
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
        const forecast = forecaster.emit(graph);
        const quote = graph.unsqueeze(graph.level(), 1);
        const filled = graph.where(graph.onnx.node("IsNaN", [forecast]), quote, forecast);
        return graph.multiply(filled, weights);
      })
      .reduce((sum, term) => graph.add(sum, term));
  }

  describe(): { name: string; value: string }[] {
    return this.horizons.map((horizon, h) => ({
      name: `weights_h${horizon}`,
      value: this.members.map(({ type }, m) => `${type} ${this.weights[h]![m]!.toFixed(3)}`).join(", "),
    }));
  }

  /** A member that needs more tenors than are quoted has no forecast; the last quote speaks for it. */
  private orQuote(forecast: number, origin: number, cell: number): number {
    return Number.isNaN(forecast) ? this.panel.carried(origin, 0, cell % this.panel.width) : forecast;
  }

  /** The fewer independent outcomes there are, and long horizons overlap, the nearer to the first member alone. */
  private weigh(): Float64Array[] {
    return this.products.map((products, h) => {
      const independent = this.outcomes[h]! / this.horizons[h]!;
      return ensembleWeights(products, this.members.length, this.shrinkage / Math.max(independent, 1));
    });
  }

  private settle(date: number, horizon: number, h: number): void {
    const origin = date - horizon;
    const forecasts = this.pending.get(origin);
    const { scale } = this.features.at(Math.max(origin, 0));
    if (!forecasts || scale === 0) return;
    this.outcomes[h]!++;
    const products = this.products[h]!;
    const errors = new Float64Array(this.members.length);
    for (let tenor = 0; tenor < this.panel.width; tenor++) {
      const outcome = this.panel.quote(date, tenor);
      forecasts.forEach((forecast, m) => {
        const cell = h * this.panel.width + tenor;
        errors[m] = (outcome - this.orQuote(forecast[cell]!, origin, cell)) / scale;
      });
      if (errors.some(Number.isNaN)) continue;
      for (let i = 0; i < errors.length; i++) {
        for (let j = 0; j < errors.length; j++) products[i * errors.length + j]! += errors[i]! * errors[j]!;
      }
    }
  }
}
