import { OnnxGraph, OnnxType } from "../../src/shared/onnx-graph.js";

/** y = the largest of x times each of its weights, over [N, 1] of float32; weights of which no two models have the same. */
export function largeModel(bytes: number, seed: number): Uint8Array {
  const count = Math.floor(bytes / Float32Array.BYTES_PER_ELEMENT);
  const weights = new Float32Array(count);
  let state = seed;
  for (let i = 0; i < count; i++) {
    // A generator of Park and Miller's: the same numbers each time, which hardly compress.
    state = (state * 48_271) % 2_147_483_647;
    weights[i] = state / 2_147_483_647;
  }
  const graph = new OnnxGraph("large");
  const x = graph.input("x", OnnxType.FLOAT32, ["N", 1]);
  const product = graph.node("MatMul", [x, graph.float32([1, count], weights)]);
  graph.node("ReduceMax", [product], { axes: { ints: [1] }, keepdims: { int: 1 } }, { outputs: ["y"] });
  graph.output("y", OnnxType.FLOAT32, ["N", 1]);
  return graph.encode();
}
