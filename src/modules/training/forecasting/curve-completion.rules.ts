import type { CurveGraph } from "./curve-graph.rules.js";

/**
 * Fills the blanks of a curve across its tenors, so that factors can be taken from a constant matrix: linear in
 * months between the neighbours that have a value, flat beyond the outermost. A curve of blanks stays one.
 */
export class CurveCompletion {
  /** Tenors by rising maturity. */
  private readonly order: number[];

  constructor(private readonly months: Float64Array) {
    this.order = Array.from(months, (_, tenor) => tenor).sort((a, b) => months[a]! - months[b]!);
  }

  /** In place. @param curve [tenors], NaN for a blank */
  complete(curve: Float64Array): Float64Array {
    let left = -1;
    for (let at = 0; at < this.order.length; at++) {
      if (Number.isNaN(curve[this.order[at]!]!)) continue;
      for (let blank = left + 1; blank < at; blank++) {
        curve[this.order[blank]!] = this.between(curve, left, at, blank);
      }
      left = at;
    }
    if (left < 0) return curve;
    for (let blank = left + 1; blank < this.order.length; blank++) {
      curve[this.order[blank]!] = curve[this.order[left]!]!;
    }
    return curve;
  }

  /** The same in the graph. @param curves [N, rows, tenors] */
  emit(graph: CurveGraph, curves: string, rows: number): string {
    const width = this.order.length;
    const backwards = Array.from({ length: width }, (_, i) => width - 1 - i);
    const arrange = (tensor: string, positions: readonly number[]) =>
      graph.onnx.node("Gather", [tensor, graph.index([width], positions)], { axis: { int: 2 } });
    const previous = (tensor: string) => graph.fillForward(tensor, 2, [rows, width]);
    const next = (tensor: string) => arrange(previous(arrange(tensor, backwards)), backwards);

    const sorted = arrange(curves, this.order);
    const blank = graph.onnx.node("IsNaN", [sorted]);
    const months = graph.constant(
      [1, 1, width],
      this.order.map((tenor) => this.months[tenor]!),
    );
    const quotedMonths = graph.where(blank, graph.scalar(Number.NaN), months);
    const [left, right] = [previous(sorted), next(sorted)];
    const [leftMonths, rightMonths] = [previous(quotedMonths), next(quotedMonths)];
    const share = graph.divide(
      graph.subtract(months, leftMonths),
      graph.onnx.node("Max", [graph.subtract(rightMonths, leftMonths), graph.scalar(Number.MIN_VALUE)]),
    );
    const inner = graph.add(left, graph.multiply(share, graph.subtract(right, left)));
    const outer = graph.where(graph.onnx.node("IsNaN", [left]), right, left);
    const filled = graph.where(graph.onnx.node("IsNaN", [inner]), outer, inner);
    const unsorted = this.order.map((_, tenor) => this.order.indexOf(tenor));
    return arrange(graph.where(blank, filled, sorted), unsorted);
  }

  private between(curve: Float64Array, left: number, right: number, blank: number): number {
    const after = curve[this.order[right]!]!;
    if (left < 0) return after;
    const before = curve[this.order[left]!]!;
    const start = this.months[this.order[left]!]!;
    const length = Math.max(this.months[this.order[right]!]! - start, Number.MIN_VALUE);
    return before + ((this.months[this.order[blank]!]! - start) / length) * (after - before);
  }
}
