import { CurveCompletion } from "./curve-completion.rules.js";
import type { CurveGraph } from "./curve-graph.rules.js";
import { LOOKBACK } from "./curve-panel.rules.js";
import type { CurvePanel } from "./curve-panel.rules.js";

const MOST_FACTORS = 3;
/** Steps over which recent changes are looked at. */
const CHANGE_LAGS = [1, 5, 21, LOOKBACK - 1];

/** What a regression may know at an origin. */
export interface OriginFeatures {
  /** Factor levels, then factor changes over each lag in units of scale. */
  common: Float64Array;
  /** Root mean squared one-step change inside the window, over all tenors; 0 where nothing moved. */
  scale: number;
  /** [tenors, 2]: how far the quote lies off the factors' curve, and its last change; in units of scale, 0 for a blank. */
  own: Float64Array;
}

/** Features of each tenor by itself. */
export const OWN_FEATURES = 2;

/**
 * Regressors that ridge and trees share. The factors are coefficients of orthonormal polynomials in the
 * logarithm of maturity (level, slope, curvature): close to a yield curve's principal components, and
 * known beforehand, so that moments of them can be accumulated date by date.
 */
export class CurveFeatures {
  readonly factors: number;
  readonly commonCount: number;
  /** Row-major [tenors, factors], orthogonal columns of mean square 1. */
  readonly loadings: Float64Array;
  private readonly completion: CurveCompletion;
  private readonly known = new Map<number, OriginFeatures>();

  constructor(private readonly panel: CurvePanel) {
    this.loadings = orthogonalPolynomials(panel.months, MOST_FACTORS);
    this.factors = this.loadings.length / panel.width;
    this.commonCount = this.factors * (1 + CHANGE_LAGS.length);
    this.completion = new CurveCompletion(panel.months);
  }

  at(origin: number): OriginFeatures {
    let features = this.known.get(origin);
    if (!features) {
      features = this.compute(origin);
      this.known.set(origin, features);
    }
    return features;
  }

  /** Factors of a curve or of a change; blanks are filled across tenors first, in place. */
  factorsOf(curve: Float64Array): Float64Array {
    this.completion.complete(curve);
    const factors = new Float64Array(this.factors);
    for (let tenor = 0; tenor < curve.length; tenor++) {
      for (let i = 0; i < this.factors; i++) {
        factors[i]! += (this.loadings[tenor * this.factors + i]! * curve[tenor]!) / curve.length;
      }
    }
    return factors;
  }

  /** What factors add up to for a tenor. */
  curveAt(factors: ArrayLike<number>, tenor: number): number {
    let value = 0;
    for (let i = 0; i < this.factors; i++) value += this.loadings[tenor * this.factors + i]! * factors[i]!;
    return value;
  }

  private compute(origin: number): OriginFeatures {
    const { panel } = this;
    const scale = this.scaleAt(origin);
    const now = this.factorsOf(panel.carriedCurve(origin));
    const common = new Float64Array(this.commonCount);
    common.set(now);
    const inScale = (value: number) => (Number.isNaN(value) || scale === 0 ? 0 : value / scale);
    CHANGE_LAGS.forEach((lag, l) => {
      const before = this.factorsOf(panel.carriedCurve(origin, lag));
      for (let i = 0; i < this.factors; i++)
        common[(l + 1) * this.factors + i] = inScale(now[i]! - before[i]!);
    });
    const own = new Float64Array(panel.width * OWN_FEATURES);
    for (let tenor = 0; tenor < panel.width; tenor++) {
      const quote = panel.carried(origin, 0, tenor);
      own[tenor * OWN_FEATURES] = inScale(quote - this.curveAt(now, tenor));
      own[tenor * OWN_FEATURES + 1] = inScale(quote - panel.carried(origin, 1, tenor));
    }
    return { common, scale, own };
  }

  private scaleAt(origin: number): number {
    let squares = 0;
    let changes = 0;
    for (let lag = 0; lag < LOOKBACK - 1; lag++) {
      for (let tenor = 0; tenor < this.panel.width; tenor++) {
        const change = this.panel.carried(origin, lag, tenor) - this.panel.carried(origin, lag + 1, tenor);
        if (Number.isNaN(change)) continue;
        squares += change ** 2;
        changes++;
      }
    }
    return Math.sqrt(squares / Math.max(changes, 1));
  }

  /** [N, commonCount] */
  emitCommon(graph: CurveGraph): string {
    return graph.once("common features", () => {
      const all = this.emitFactors(graph);
      const row = (i: number) => graph.onnx.node("Gather", [all, graph.index([], [i])], { axis: { int: 1 } });
      const now = row(0);
      const changes = CHANGE_LAGS.map((_, l) => this.emitInScale(graph, graph.subtract(now, row(l + 1))));
      return graph.concat([now, ...changes], 1);
    });
  }

  /** The window's scale, [N, 1]. */
  emitScale(graph: CurveGraph): string {
    return graph.once("scale", () => {
      const { squares, changes } = graph.windowChanges();
      const count = graph.onnx.node("Max", [graph.sum(changes, 1, true), graph.scalar(1)]);
      return graph.onnx.node("Sqrt", [graph.divide(graph.sum(squares, 1, true), count)]);
    });
  }

  /** Each tenor's own features, [N, tenors] each. */
  emitOwn(graph: CurveGraph): string[] {
    const factors = graph.columns(this.emitCommon(graph), 0, this.factors);
    const fitted = graph.product(factors, this.emitLoadings(graph));
    return [
      this.emitInScale(graph, graph.subtract(graph.level(), fitted)),
      this.emitInScale(graph, graph.subtract(graph.level(), graph.level(1))),
    ];
  }

  /** [factors, tenors] */
  emitLoadings(graph: CurveGraph): string {
    return graph.once("loadings", () => {
      const transposed = new Float64Array(this.loadings.length);
      for (let tenor = 0; tenor < graph.tenors; tenor++) {
        for (let i = 0; i < this.factors; i++) {
          transposed[i * graph.tenors + tenor] = this.loadings[tenor * this.factors + i]!;
        }
      }
      return graph.constant([this.factors, graph.tenors], transposed);
    });
  }

  private emitFactors(graph: CurveGraph): string {
    const lags = [0, ...CHANGE_LAGS].map((lag) => LOOKBACK - 1 - lag);
    const curves = graph.onnx.node("Gather", [graph.carried, graph.index([lags.length], lags)], {
      axis: { int: 1 },
    });
    const weights = this.loadings.map((loading) => loading / graph.tenors);
    return graph.product(
      this.completion.emit(graph, curves, lags.length),
      graph.constant([graph.tenors, this.factors], weights),
    );
  }

  private emitInScale(graph: CurveGraph, tensor: string): string {
    const scaled = graph.divide(tensor, this.emitScale(graph));
    const still = graph.onnx.node("Equal", [this.emitScale(graph), graph.scalar(0)]);
    const unknown = graph.onnx.node("Or", [graph.onnx.node("IsNaN", [tensor]), still]);
    return graph.where(unknown, graph.scalar(0), scaled);
  }
}

/** Polynomials in log maturity, orthogonal over the tenors by Gram-Schmidt, each of mean square 1. */
function orthogonalPolynomials(months: Float64Array, most: number): Float64Array {
  const width = months.length;
  const logs = months.map(Math.log);
  const centre = logs.reduce((sum, each) => sum + each, 0) / width;
  const columns: Float64Array[] = [];
  for (let power = 0; power < Math.min(most, width); power++) {
    const column = logs.map((each) => (each - centre) ** power);
    for (const earlier of columns) {
      const share = column.reduce((sum, each, i) => sum + each * earlier[i]!, 0) / width;
      earlier.forEach((each, i) => (column[i]! -= share * each));
    }
    const norm = Math.sqrt(column.reduce((sum, each) => sum + each ** 2, 0) / width);
    // Fewer distinct maturities than powers leave nothing.
    if (norm < 1e-9) break;
    columns.push(column.map((each) => each / norm));
  }
  const loadings = new Float64Array(width * columns.length);
  columns.forEach((column, i) =>
    column.forEach((each, tenor) => (loadings[tenor * columns.length + i] = each)),
  );
  return loadings;
}
