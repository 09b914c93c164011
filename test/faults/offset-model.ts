import { OnnxGraph, OnnxType } from "../../src/shared/onnx-graph.js";

/** y = x + offset, over [N, 1] of float32. */
export function offsetModel(offset: number): Uint8Array {
  const graph = new OnnxGraph("offset");
  const x = graph.input("x", OnnxType.FLOAT32, ["N", 1]);
  graph.node("Add", [x, graph.float32([1], [offset])], {}, { outputs: ["y"] });
  graph.output("y", OnnxType.FLOAT32, ["N", 1]);
  return graph.encode();
}
