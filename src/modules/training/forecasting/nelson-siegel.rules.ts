import type { CurveForecaster } from "./curve-forecaster.rules.js";
import type { CurveGraph } from "./curve-graph.rules.js";
import type { CurvePanel } from "./curve-panel.rules.js";
import { LagRegression } from "./lag-regression.rules.js";
import { emitMaskedLeastSquares, maskedLeastSquares } from "./masked-least-squares.rules.js";

export const NELSON_SIEGEL_FACTORS = 3;

/** Decays that a fit chooses from, per month: the curvature's peak between 6 and 180 months, 0.0609 among them. */
const DECAY_GRID = [
  0.01, 0.0125, 0.015, 0.018, 0.022, 0.027, 0.033, 0.04, 0.05, 0.0609, 0.075, 0.09, 0.11, 0.135, 0.165, 0.2,
  0.25, 0.3,
];

/**
 * Loadings of the dynamic Nelson-Siegel factors (level, slope, curvature).
 * @param months to maturity, > 0
 * @param decay lambda of Diebold and Li (2006), per month; 0.0609 puts the curvature's peak at 30 months
 * @returns row-major [months.length, 3]
 */
export function nelsonSiegelLoadings(months: ArrayLike<number>, decay: number): Float64Array {
  const loadings = new Float64Array(months.length * NELSON_SIEGEL_FACTORS);
  for (let tenor = 0; tenor < months.length; tenor++) {
    const scaled = decay * months[tenor]!;
    const slope = -Math.expm1(-scaled) / scaled;
    loadings.set([1, slope, slope - Math.exp(-scaled)], tenor * NELSON_SIEGEL_FACTORS);
  }
  return loadings;
}

/** The Nelson-Siegel factors at one decay and, for each horizon, the regressions of each on its own lag. */
class FactorDynamics {
  readonly loadings: Float64Array;
  /** Sum of squared errors of the cross-sectional fits. */
  squaredError = 0;
  private readonly known = new Map<number, Float64Array>();
  private readonly regressions: LagRegression[][];

  constructor(
    private readonly panel: CurvePanel,
    private readonly horizons: readonly number[],
    readonly decay: number,
  ) {
    this.loadings = nelsonSiegelLoadings(panel.months, decay);
    this.regressions = horizons.map(() =>
      Array.from({ length: NELSON_SIEGEL_FACTORS }, () => new LagRegression()),
    );
  }

  observe(date: number): void {
    const outcome = this.factors(date);
    if (Number.isNaN(outcome[0]!) || this.panel.quotedOn(date) < NELSON_SIEGEL_FACTORS) return;
    for (let tenor = 0; tenor < this.panel.width; tenor++) {
      const quote = this.panel.quote(date, tenor);
      if (!Number.isNaN(quote)) this.squaredError += (quote - this.curveAt(outcome, tenor)) ** 2;
    }
    this.horizons.forEach((horizon, h) => {
      if (date < horizon) return;
      const lagged = this.factors(date - horizon);
      if (Number.isNaN(lagged[0]!)) return;
      this.regressions[h]!.forEach((regression, i) => regression.observe(lagged[i]!, outcome[i]!));
    });
  }

  /** Least-squares factors of the carried curve at a date. */
  factors(date: number): Float64Array {
    let factors = this.known.get(date);
    if (!factors) {
      factors = maskedLeastSquares(this.loadings, NELSON_SIEGEL_FACTORS, this.panel.carriedCurve(date));
      this.known.set(date, factors);
    }
    return factors;
  }

  curveAt(factors: ArrayLike<number>, tenor: number): number {
    let value = 0;
    for (let i = 0; i < NELSON_SIEGEL_FACTORS; i++) {
      value += this.loadings[tenor * NELSON_SIEGEL_FACTORS + i]! * factors[i]!;
    }
    return value;
  }

  /** Intercept and slope for each horizon and factor. */
  coefficients(): { intercept: number; slope: number }[][] {
    return this.regressions.map((factors) => factors.map((regression) => regression.coefficients()));
  }
}

/**
 * Dynamic Nelson-Siegel after Diebold and Li (2006): level, slope and curvature by least squares at each
 * date, each forecast by a direct h-step regression on its own lag, and the curve put together again.
 */
export class NelsonSiegel implements CurveForecaster {
  private readonly candidates: FactorDynamics[];
  private fitted: FactorDynamics;
  private coefficients: { intercept: number; slope: number }[][];

  /** @param decay per month; chosen by the fit of past curves when absent */
  constructor(
    private readonly panel: CurvePanel,
    private readonly horizons: readonly number[],
    decay?: number,
  ) {
    const decays = decay === undefined ? DECAY_GRID : [decay];
    this.candidates = decays.map((each) => new FactorDynamics(panel, horizons, each));
    this.fitted = this.candidates[0]!;
    this.coefficients = this.fitted.coefficients();
  }

  observe(date: number): void {
    for (const candidate of this.candidates) candidate.observe(date);
  }

  refit(): void {
    this.fitted = this.candidates.reduce((best, each) =>
      each.squaredError < best.squaredError ? each : best,
    );
    this.coefficients = this.fitted.coefficients();
  }

  forecast(origin: number): Float64Array {
    const now = this.fitted.factors(origin);
    const means = new Float64Array(this.horizons.length * this.panel.width);
    this.coefficients.forEach((byFactor, h) => {
      const ahead = byFactor.map(({ intercept, slope }, i) => intercept + slope * now[i]!);
      for (let tenor = 0; tenor < this.panel.width; tenor++) {
        const quoted = !Number.isNaN(this.panel.carried(origin, 0, tenor));
        means[h * this.panel.width + tenor] = quoted ? this.fitted.curveAt(ahead, tenor) : Number.NaN;
      }
    });
    return means;
  }

  emit(graph: CurveGraph): string {
    const shape = [1, this.horizons.length, NELSON_SIEGEL_FACTORS];
    const slopes = graph.constant(
      shape,
      this.coefficients.flat().map(({ slope }) => slope),
    );
    const intercepts = graph.constant(
      shape,
      this.coefficients.flat().map(({ intercept }) => intercept),
    );
    const now = graph.unsqueeze(
      emitMaskedLeastSquares(graph, this.fitted.loadings, NELSON_SIEGEL_FACTORS),
      1,
    );
    const ahead = graph.add(graph.multiply(now, slopes), intercepts);
    const transposed = new Float64Array(this.fitted.loadings.length);
    for (let i = 0; i < NELSON_SIEGEL_FACTORS; i++) {
      for (let tenor = 0; tenor < graph.tenors; tenor++) {
        transposed[i * graph.tenors + tenor] = this.fitted.loadings[tenor * NELSON_SIEGEL_FACTORS + i]!;
      }
    }
    const loadings = graph.constant([NELSON_SIEGEL_FACTORS, graph.tenors], transposed);
    return graph.blankUnquoted(graph.product(ahead, loadings));
  }

  describe(): { name: string; value: string }[] {
    return [{ name: "decay", value: String(this.fitted.decay) }];
  }
}
