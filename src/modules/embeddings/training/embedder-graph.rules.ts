import { numberToHalf } from "../../../shared/half-float.js";
import { OnnxGraph, OnnxType } from "../../../shared/onnx-graph.js";
import type { TokenTable } from "./sub-words.rules.js";

/** Half precision is most exact in the middle of its range. */
const LARGEST_ENTRY = 8;
/** Length of the vector that a text has to begin with: too short to matter beside a word, enough to have a direction. */
const FAINT = 1e-4;

/**
 * The ONNX graph that turns tokens into a vector of unit length: the sum over distinct rows of
 * (1 + ln occurrences) x row, normalised. Texts that mean nothing all get the last axis, so that there is no NaN.
 * Padding counts for nothing, wherever it is.
 */
export function encodeGraph({ rowOf, projection }: TokenTable, width: number): Uint8Array {
  const graph = new OnnxGraph("text_embedder");
  const ids = graph.input("input_ids", OnnxType.INT64, ["batch", "sequence"]);
  const mask = graph.input("attention_mask", OnnxType.INT64, ["batch", "sequence"]);
  const floats = { to: { int: OnnxType.FLOAT32 } };
  const rowTable = graph.initializer(OnnxType.INT32, [rowOf.length], rowOf, "row_of_token");
  const projectionTable = graph.initializer(
    OnnxType.FLOAT16,
    [projection.length / width, width],
    toHalf(projection),
    "projection",
  );
  const axis = (number: number) => graph.int64([1], [number]);
  const rows = graph.node("Gather", [rowTable, ids]);
  const present = graph.node("Cast", [mask], floats);
  const column = graph.node("Unsqueeze", [present, axis(2)]);
  // occurrences[b, s] = how many of the tokens that count in text b have the row of token s
  const same = graph.node("Equal", [
    graph.node("Unsqueeze", [rows, axis(2)]),
    graph.node("Unsqueeze", [rows, axis(1)]),
  ]);
  const occurrences = graph.node("Squeeze", [
    graph.node("MatMul", [graph.node("Cast", [same], floats), column]),
    axis(2),
  ]);
  const counts = graph.node("Max", [occurrences, graph.float32([], [1])]);
  const damped = graph.node("Add", [graph.node("Log", [counts]), graph.float32([], [1])]);
  const weights = graph.node("Mul", [graph.node("Div", [damped, counts]), present]);
  const vectors = graph.node("Cast", [graph.node("Gather", [projectionTable, rows])], floats);
  const sum = graph.node("Squeeze", [
    graph.node("MatMul", [graph.node("Unsqueeze", [weights, axis(1)]), vectors]),
    axis(1),
  ]);
  const faint = new Float32Array(width);
  faint[width - 1] = FAINT;
  const vector = graph.node("Add", [sum, graph.float32([width], faint)]);
  const length = graph.node("ReduceL2", [vector], { axes: { ints: [1] }, keepdims: { int: 1 } });
  graph.node("Div", [vector, length], {}, { outputs: ["sentence_embedding"] });
  graph.output("sentence_embedding", OnnxType.FLOAT32, ["batch", width]);
  return graph.encode();
}

/** Scaled, which does not change directions. */
function toHalf(values: Float32Array): Uint16Array {
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const scale = largest > 0 ? LARGEST_ENTRY / largest : 1;
  return Uint16Array.from(values, (value) => numberToHalf(value * scale));
}
