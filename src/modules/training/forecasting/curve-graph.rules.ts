import { OnnxGraph, OnnxType } from "../../../shared/onnx-graph.js";
import { LOOKBACK } from "./curve-panel.rules.js";

const DATE_AXIS = 1;

/**
 * The part of the artifact that all forecasters share, and the arithmetic that they write theirs in.
 * Everything between input and output is float64, so that it agrees with the fit to float32 rounding.
 */
export class CurveGraph {
  readonly onnx: OnnxGraph;
  /** Quotes carried forward inside the window, [N, LOOKBACK, tenors]; NaN before a tenor's first. */
  readonly carried: string;
  private readonly shared = new Map<string, string>();

  constructor(
    readonly tenors: number,
    readonly horizons: number,
  ) {
    this.onnx = new OnnxGraph("curve_forecaster");
    const history = this.onnx.input("history", OnnxType.FLOAT32, ["N", LOOKBACK, tenors]);
    const exact = this.onnx.node("Cast", [history], { to: { int: OnnxType.FLOAT64 } });
    this.carried = this.fillForward(exact, DATE_AXIS, [LOOKBACK, tenors]);
  }

  /** Makes a tensor once, however many forecasters of an ensemble ask for it. */
  once(key: string, make: () => string): string {
    const name = this.shared.get(key) ?? make();
    this.shared.set(key, name);
    return name;
  }

  /** The carried curve `lag` steps before the origin, [N, tenors]. */
  level(lag = 0): string {
    return this.once(`level ${lag}`, () =>
      this.onnx.node("Gather", [this.carried, this.index([], [LOOKBACK - 1 - lag])], {
        axis: { int: DATE_AXIS },
      }),
    );
  }

  /** 1 where the carried curve at the origin has a value, else 0; [N, tenors]. */
  quoted(): string {
    return this.once("quoted", () => {
      const blank = this.onnx.node("IsNaN", [this.level()]);
      return this.onnx.node("Cast", [this.onnx.node("Not", [blank])], { to: { int: OnnxType.FLOAT64 } });
    });
  }

  /**
   * Squared one-step changes inside the window and how many of them are known, [N, tenors] each;
   * a change from or to a blank counts for nothing.
   */
  windowChanges(): { squares: string; changes: string } {
    const squares = this.once("squared changes", () => {
      const change = this.stepChanges();
      const square = this.multiply(change, change);
      return this.sum(this.where(this.onnx.node("IsNaN", [change]), this.scalar(0), square), DATE_AXIS);
    });
    const changes = this.once("known changes", () => {
      const blank = this.onnx.node("IsNaN", [this.stepChanges()]);
      return this.sum(this.where(blank, this.scalar(0), this.scalar(1)), DATE_AXIS);
    });
    return { squares, changes };
  }

  /** [N, LOOKBACK - 1, tenors] */
  private stepChanges(): string {
    const dates = (from: number, to: number) =>
      this.onnx.node("Slice", [
        this.carried,
        this.index([1], [from]),
        this.index([1], [to]),
        this.index([1], [DATE_AXIS]),
      ]);
    return this.once("step changes", () => this.subtract(dates(1, LOOKBACK), dates(0, LOOKBACK - 1)));
  }

  /** Puts the last number that is not NaN in place of each NaN behind it. @param axis 1 or 2 of [N, ...size] */
  fillForward(tensor: string, axis: 1 | 2, size: readonly [number, number]): string {
    const length = size[axis - 1]!;
    let filled = tensor;
    // Each round reaches twice as far back, so few nodes fill a long axis.
    for (let reach = 1; reach < length; reach *= 2) {
      const kept = this.onnx.node("Slice", [
        filled,
        this.index([1], [0]),
        this.index([1], [length - reach]),
        this.index([1], [axis]),
      ]);
      const pads = axis === 1 ? [0, reach, 0, 0, 0, 0] : [0, 0, reach, 0, 0, 0];
      const earlier = this.onnx.node("Pad", [kept, this.index([6], pads), this.scalar(Number.NaN)]);
      filled = this.onnx.node("Where", [this.onnx.node("IsNaN", [filled]), earlier, filled]);
    }
    return filled;
  }

  scalar(value: number): string {
    return this.once(`scalar ${value}`, () => this.onnx.float64([], [value]));
  }

  constant(shape: readonly number[], values: ArrayLike<number>): string {
    return this.onnx.float64(shape, values);
  }

  index(shape: readonly number[], values: readonly number[]): string {
    return this.once(`index ${shape} ${values}`, () => this.onnx.int64(shape, values));
  }

  add(a: string, b: string): string {
    return this.onnx.node("Add", [a, b]);
  }

  subtract(a: string, b: string): string {
    return this.onnx.node("Sub", [a, b]);
  }

  multiply(a: string, b: string): string {
    return this.onnx.node("Mul", [a, b]);
  }

  divide(a: string, b: string): string {
    return this.onnx.node("Div", [a, b]);
  }

  product(a: string, b: string): string {
    return this.onnx.node("MatMul", [a, b]);
  }

  where(condition: string, a: string, b: string): string {
    return this.onnx.node("Where", [condition, a, b]);
  }

  sum(tensor: string, axis: number, keep = false): string {
    return this.onnx.node("ReduceSum", [tensor, this.index([1], [axis])], {
      keepdims: { int: keep ? 1 : 0 },
    });
  }

  concat(tensors: readonly string[], axis: number): string {
    return tensors.length === 1 ? tensors[0]! : this.onnx.node("Concat", tensors, { axis: { int: axis } });
  }

  /** Columns [from, to) of a matrix [N, columns]. */
  columns(matrix: string, from: number, to: number): string {
    return this.onnx.node("Slice", [
      matrix,
      this.index([1], [from]),
      this.index([1], [to]),
      this.index([1], [1]),
    ]);
  }

  unsqueeze(tensor: string, axis: number): string {
    return this.onnx.node("Unsqueeze", [tensor, this.index([1], [axis])]);
  }

  /** [N, horizons * tenors] as [N, horizons, tenors]. */
  byHorizon(flat: string): string {
    return this.onnx.node("Reshape", [flat, this.index([3], [0, this.horizons, this.tenors])]);
  }

  /** NaN for the tenors that have no quote inside the window. @param mean [N, horizons, tenors] */
  blankUnquoted(mean: string): string {
    const blank = this.unsqueeze(this.onnx.node("IsNaN", [this.level()]), 1);
    return this.where(blank, this.scalar(Number.NaN), mean);
  }

  output(name: string, values: string): void {
    this.onnx.node("Cast", [values], { to: { int: OnnxType.FLOAT32 } }, { outputs: [name] });
    this.onnx.output(name, OnnxType.FLOAT32, ["N", this.horizons, this.tenors]);
  }
}
