import { EigenvalueDecomposition, Matrix, solve } from "ml-matrix";
import { CurveCompletion } from "./curve-completion.rules.js";
import type { CurveForecaster } from "./curve-forecaster.rules.js";
import type { CurveGraph } from "./curve-graph.rules.js";
import { LOOKBACK } from "./curve-panel.rules.js";
import type { CurvePanel } from "./curve-panel.rules.js";

/**
 * Principal components of the curve, forecast by a vector autoregression that is iterated h steps; each tenor
 * moves from its quote by what its loadings make of the factors' move. In error-correction form: the next
 * change of the factors depends on their level and their last changes.
 */
export class FactorVar implements CurveForecaster {
  private readonly completion: CurveCompletion;
  private readonly lags: number;
  private readonly factors: number;
  private readonly moments: VectorMoments;
  /** Moves of all horizons and tenors as a linear function of the state: [state, horizons * tenors] and a constant. */
  private response: Matrix;
  private shift: Float64Array;

  /** @param options lags: curves that the autoregression looks at, 1 for the last one only */
  constructor(
    private readonly panel: CurvePanel,
    private readonly horizons: readonly number[],
    options: { factors: number; lags: number },
  ) {
    this.completion = new CurveCompletion(panel.months);
    this.lags = options.lags;
    this.factors = Math.min(options.factors, panel.width);
    this.moments = new VectorMoments(panel.width * this.lags, panel.width);
    this.response = Matrix.zeros(panel.width * this.lags, panel.width * horizons.length);
    this.shift = new Float64Array(panel.width * horizons.length);
  }

  observe(date: number): void {
    if (date === 0 || this.panel.quotedOn(date) === 0) return;
    const state = this.state(date - 1);
    const move = this.completion.complete(this.panel.carriedCurve(date));
    for (let tenor = 0; tenor < move.length; tenor++) move[tenor]! -= state[tenor]!;
    if (!Number.isNaN(move[0]!) && !state.some(Number.isNaN)) this.moments.observe(state, move);
  }

  refit(): void {
    const { width } = this.panel;
    if (this.moments.count <= 2 * this.factors * this.lags) return;
    const loadings = principalComponents(this.moments.covariance(width), this.factors);
    const project = Matrix.eye(this.lags).kroneckerProduct(loadings);
    const { stateSquares, stateMoves, meanState, meanMove } = this.moments.projected(project, loadings);
    const response = stabilised(solve(stateSquares, stateMoves).transpose(), this.factors);
    const constant = Matrix.sub(meanMove, response.mmul(meanState));
    const outward = loadings.transpose();
    expectedMoves(response, constant, this.horizons).forEach((move, h) => {
      const ofState = project.mmul(move.response.transpose()).mmul(outward);
      this.response.setSubMatrix(ofState, 0, h * width);
      this.shift.set(loadings.mmul(move.constant).to1DArray(), h * width);
    });
  }

  forecast(origin: number): Float64Array {
    const { width } = this.panel;
    const moves = Matrix.rowVector(this.state(origin)).mmul(this.response).to1DArray();
    return this.shift.map((shift, i) => this.panel.carried(origin, 0, i % width) + shift + moves[i]!);
  }

  emit(graph: CurveGraph): string {
    const { width } = this.panel;
    const rows = Array.from({ length: this.lags }, (_, lag) => LOOKBACK - 1 - lag);
    const carried = graph.onnx.node("Gather", [graph.carried, graph.index([this.lags], rows)], {
      axis: { int: 1 },
    });
    const curves = this.completion.emit(graph, carried, this.lags);
    const curve = (lag: number) =>
      graph.onnx.node("Gather", [curves, graph.index([], [lag])], { axis: { int: 1 } });
    const levels = rows.map((_, lag) => curve(lag));
    const changes = levels.slice(1).map((earlier, lag) => {
      const change = graph.subtract(levels[lag]!, earlier);
      return graph.where(graph.onnx.node("IsNaN", [change]), graph.scalar(0), change);
    });
    const state = graph.concat([levels[0]!, ...changes], 1);
    const response = graph.constant([this.response.rows, this.response.columns], this.response.to1DArray());
    const shift = graph.constant([1, width * this.horizons.length], this.shift);
    const moves = graph.byHorizon(graph.add(graph.product(state, response), shift));
    return graph.add(graph.unsqueeze(graph.level(), 1), moves);
  }

  describe(): { name: string; value: string }[] {
    return [
      { name: "factors", value: String(this.factors) },
      { name: "lags", value: String(this.lags) },
    ];
  }

  /** The completed curve and its last changes, [tenors * lags]; a change from before the window counts as none. */
  private state(origin: number): Float64Array {
    const { width } = this.panel;
    const state = new Float64Array(width * this.lags);
    let later = this.completion.complete(this.panel.carriedCurve(origin));
    state.set(later);
    for (let lag = 1; lag < this.lags; lag++) {
      const earlier = this.completion.complete(this.panel.carriedCurve(origin, lag));
      for (let tenor = 0; tenor < width; tenor++) {
        const change = later[tenor]! - earlier[tenor]!;
        state[lag * width + tenor] = Number.isNaN(change) ? 0 : change;
      }
      later = earlier;
    }
    return state;
  }
}

/** Sums of states and of the moves that followed, updated one step at a time. */
class VectorMoments {
  count = 0;
  private readonly stateSum: Float64Array;
  private readonly moveSum: Float64Array;
  private readonly squares: Float64Array;
  private readonly cross: Float64Array;

  constructor(
    private readonly states: number,
    private readonly moves: number,
  ) {
    this.stateSum = new Float64Array(states);
    this.moveSum = new Float64Array(moves);
    this.squares = new Float64Array(states * states);
    this.cross = new Float64Array(states * moves);
  }

  observe(state: Float64Array, move: Float64Array): void {
    this.count++;
    for (let j = 0; j < this.moves; j++) this.moveSum[j]! += move[j]!;
    for (let i = 0; i < this.states; i++) {
      const value = state[i]!;
      this.stateSum[i]! += value;
      for (let j = 0; j < this.states; j++) this.squares[i * this.states + j]! += value * state[j]!;
      for (let j = 0; j < this.moves; j++) this.cross[i * this.moves + j]! += value * move[j]!;
    }
  }

  /** Covariance of the first elements of the state. */
  covariance(size: number): Matrix {
    return this.centredSquares()
      .subMatrix(0, size - 1, 0, size - 1)
      .div(this.count);
  }

  /** Centred normal equations and means in factor space. */
  projected(project: Matrix, loadings: Matrix) {
    const inward = project.transpose();
    const stateSum = Matrix.columnVector(this.stateSum);
    const moveSum = Matrix.columnVector(this.moveSum);
    const stateSquares = inward.mmul(this.centredSquares()).mmul(project);
    // A factor that never moved must not make the equations singular.
    const jitter = (1e-9 * stateSquares.trace()) / stateSquares.rows + 1e-12;
    for (let i = 0; i < stateSquares.rows; i++) stateSquares.set(i, i, stateSquares.get(i, i) + jitter);
    const cross = Matrix.from1DArray(this.states, this.moves, this.cross).sub(
      stateSum.mmul(moveSum.transpose()).div(this.count),
    );
    return {
      stateSquares,
      stateMoves: inward.mmul(cross).mmul(loadings),
      meanState: inward.mmul(stateSum).div(this.count),
      meanMove: loadings.transpose().mmul(moveSum).div(this.count),
    };
  }

  private centredSquares(): Matrix {
    const sum = Matrix.columnVector(this.stateSum);
    const squares = Matrix.from1DArray(this.states, this.states, this.squares);
    return squares.sub(sum.mmul(sum.transpose()).div(this.count));
  }
}

/** Eigenvectors of the largest eigenvalues, [size, factors]; the largest element of each is positive. */
function principalComponents(covariance: Matrix, factors: number): Matrix {
  const { eigenvectorMatrix, realEigenvalues } = new EigenvalueDecomposition(covariance, {
    assumeSymmetric: true,
  });
  const order = realEigenvalues.map((_, i) => i).sort((a, b) => realEigenvalues[b]! - realEigenvalues[a]!);
  const components = Matrix.zeros(covariance.rows, factors);
  for (let i = 0; i < factors; i++) {
    const vector = eigenvectorMatrix.getColumn(order[i]!);
    const largest = vector.reduce((most, each) => (Math.abs(each) > Math.abs(most) ? each : most), 0);
    components.setColumn(i, largest < 0 ? vector.map((each) => -each) : vector);
  }
  return components;
}

/** One step of the state [factors, changes, older changes ...] without its constant. */
function companion(response: Matrix, factors: number): Matrix {
  const size = response.columns;
  const step = Matrix.zeros(size, size);
  step.setSubMatrix(Matrix.add(response, Matrix.eye(factors, size)), 0, 0);
  if (size > factors) step.setSubMatrix(response, factors, 0);
  for (let i = 2 * factors; i < size; i++) step.set(i, i - factors, 1);
  return step;
}

/** Halves an explosive response until the state stays bounded; none at all is a random walk with drift. */
function stabilised(response: Matrix, factors: number): Matrix {
  let stable = response;
  for (let attempt = 0; attempt < 20; attempt++) {
    const { realEigenvalues, imaginaryEigenvalues } = new EigenvalueDecomposition(companion(stable, factors));
    const radius = Math.max(...realEigenvalues.map((real, i) => Math.hypot(real, imaginaryEigenvalues[i]!)));
    if (radius <= 1 + 1e-9) return stable;
    stable = Matrix.mul(stable, 0.5);
  }
  return Matrix.mul(stable, 0);
}

/** Moves of the factors over each horizon, `response * state + constant`, by iterating one step. */
function expectedMoves(response: Matrix, constant: Matrix, horizons: readonly number[]) {
  const factors = constant.rows;
  const size = response.columns;
  const step = companion(response, factors);
  const stepConstant = Matrix.zeros(size, 1);
  stepConstant.setSubMatrix(constant, 0, 0);
  if (size > factors) stepConstant.setSubMatrix(constant, factors, 0);
  const at = new Map<number, { response: Matrix; constant: Matrix }>();
  let power = Matrix.eye(size);
  let drift = Matrix.zeros(size, 1);
  for (let h = 1; h <= Math.max(...horizons); h++) {
    power = step.mmul(power);
    drift = Matrix.add(step.mmul(drift), stepConstant);
    if (!horizons.includes(h)) continue;
    at.set(h, {
      response: Matrix.sub(power, Matrix.eye(size)).subMatrix(0, factors - 1, 0, size - 1),
      constant: drift.subMatrix(0, factors - 1, 0, 0),
    });
  }
  return horizons.map((horizon) => at.get(horizon)!);
}
