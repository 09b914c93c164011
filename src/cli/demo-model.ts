import { OnnxGraph, OnnxType } from "../shared/onnx-graph.js";

/** Basis points in a percentage point. */
const BASIS_POINTS = 100;

/** An ONNX file of one's own: `yields` [N, 2] in percent in, their difference `slope` [N, 1] in basis points out. */
export function slopeModel(): Uint8Array {
  const graph = new OnnxGraph("slope");
  const yields = graph.input("yields", OnnxType.FLOAT32, ["N", 2]);
  const weights = graph.float32([2, 1], [-BASIS_POINTS, BASIS_POINTS]);
  graph.node("MatMul", [yields, weights], {}, { outputs: ["slope"] });
  graph.output("slope", OnnxType.FLOAT32, ["N", 1]);
  return graph.encode();
}
