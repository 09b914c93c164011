import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import onnxProto from "onnx-proto";
import type { ModelSource } from "../../src/ports/inference-runtime.js";
import { OnnxGraph, OnnxType } from "../../src/shared/onnx-graph.js";
import type { TensorType } from "../../src/shared/tensor.js";

const { ModelProto, TensorProto, TypeProto } = onnxProto.onnx;

/** A folder of model files that a test made; `remove` it afterwards. */
export class ModelFolder {
  private constructor(readonly path: string) {}

  static async create(): Promise<ModelFolder> {
    return new ModelFolder(await mkdtemp(join(tmpdir(), "models-")));
  }

  async add(name: string, bytes: Uint8Array): Promise<ModelSource> {
    const path = join(this.path, `${name}.onnx`);
    await writeFile(path, bytes);
    return { key: name, path, bytes: bytes.byteLength };
  }

  remove(): Promise<void> {
    return rm(this.path, { recursive: true });
  }
}

/** y[N, 2] = x[N, 3] times fixed weights plus (10, 20). */
export function linearModel(): Uint8Array {
  const graph = new OnnxGraph("linear");
  const x = graph.input("x", OnnxType.FLOAT32, ["N", 3]);
  const product = graph.node("MatMul", [x, graph.float32([3, 2], [1, 2, 3, 4, 5, 6])]);
  graph.node("Add", [product, graph.float32([2], [10, 20])], {}, { outputs: ["y"] });
  graph.output("y", OnnxType.FLOAT32, ["N", 2]);
  return graph.encode();
}

/** A multilayer perceptron, x[N, widths[0]] to y[N, widths.at(-1)]. */
export function perceptron(widths: readonly number[]): Uint8Array {
  const graph = new OnnxGraph("perceptron");
  let layer = graph.input("x", OnnxType.FLOAT32, ["N", widths[0]!]);
  for (let i = 1; i < widths.length; i++) {
    const [rows, columns] = [widths[i - 1]!, widths[i]!];
    const weights = Float32Array.from({ length: rows * columns }, (_, k) => Math.sin(k) / Math.sqrt(rows));
    const last = i === widths.length - 1;
    layer = graph.node("MatMul", [layer, graph.float32([rows, columns], weights)]);
    layer = graph.node(last ? "Identity" : "Relu", [layer], {}, last ? { outputs: ["y"] } : {});
  }
  graph.output("y", OnnxType.FLOAT32, ["N", widths.at(-1)!]);
  return graph.encode();
}

/** y[N, 11] = tanh(... tanh(x[N, 40] times weights)) of 20,000 numbers: rows that cost milliseconds, batched or not. */
export function costlyRows(steps: number): Uint8Array {
  const graph = new OnnxGraph("costly_rows");
  const width = 20_000;
  const weights = (rows: number, columns: number) =>
    graph.float32(
      [rows, columns],
      Float32Array.from({ length: rows * columns }, (_, k) => Math.sin(k)),
    );
  let wide = graph.node("MatMul", [graph.input("x", OnnxType.FLOAT32, ["N", 40]), weights(40, width)]);
  for (let step = 0; step < steps; step++) wide = graph.node("Tanh", [wide]);
  graph.node("MatMul", [wide, weights(width, 11)], {}, { outputs: ["y"] });
  graph.output("y", OnnxType.FLOAT32, ["N", 11]);
  return graph.encode();
}

/** Softmax down the batch: what a row gets depends on the others, though the shapes do not tell. */
export function softmaxOverRows(): Uint8Array {
  const graph = new OnnxGraph("softmax_over_rows");
  graph.input("x", OnnxType.FLOAT32, ["N", 3]);
  graph.node("Softmax", ["x"], { axis: { int: 0 } }, { outputs: ["y"] });
  graph.output("y", OnnxType.FLOAT32, ["N", 3]);
  return graph.encode();
}

/** y[N] = one of three numbers by the index x[N]; other indices are refused while it runs. */
export function lookup(): Uint8Array {
  const graph = new OnnxGraph("lookup");
  graph.input("x", OnnxType.INT64, ["N"]);
  graph.node("Gather", [graph.float32([3], [100, 200, 300]), "x"], {}, { outputs: ["y"] });
  graph.output("y", OnnxType.FLOAT32, ["N"]);
  return graph.encode();
}

/** sum = sum of (x times x), x[n, n]: takes microseconds or seconds, as the caller likes. */
export function squareSum(): Uint8Array {
  const graph = new OnnxGraph("square_sum");
  graph.input("x", OnnxType.FLOAT32, ["n", "n"]);
  graph.node("ReduceSum", [graph.node("MatMul", ["x", "x"])], { keepdims: { int: 0 } }, { outputs: ["sum"] });
  graph.output("sum", OnnxType.FLOAT32, []);
  return graph.encode();
}

/** Two outputs of which one is declared with a wrong size. */
export function misdeclared(): Uint8Array {
  const graph = new OnnxGraph("misdeclared");
  graph.input("x", OnnxType.FLOAT32, ["N", 3]);
  graph.node("Identity", ["x"], {}, { outputs: ["same"] });
  graph.node("NonZero", ["x"], {}, { outputs: ["positions"] });
  graph.output("same", OnnxType.FLOAT32, ["N", 3]);
  graph.output("positions", OnnxType.INT64, [2, 7]);
  return graph.encode();
}

/** Wants `rows` x `columns` ones in memory as soon as it is loaded. */
export function greedy(rows: number, columns: number): Uint8Array {
  const graph = new OnnxGraph("greedy");
  graph.input("x", OnnxType.INT64, [2]);
  const shape = graph.node("Add", ["x", graph.int64([2], [rows, columns])]);
  graph.node(
    "ReduceMax",
    [graph.node("ConstantOfShape", [shape])],
    { keepdims: { int: 0 } },
    { outputs: ["y"] },
  );
  graph.output("y", OnnxType.FLOAT32, []);
  return graph.encode();
}

/** Multiplies constant matrices while it is loaded, for minutes. */
export function endless(): Uint8Array {
  const graph = new OnnxGraph("endless");
  graph.input("x", OnnxType.INT64, [2]);
  let product = graph.node("ConstantOfShape", [graph.node("Add", ["x", graph.int64([2], [4000, 4000])])]);
  for (let i = 0; i < 200; i++) product = graph.node("MatMul", [product, product]);
  graph.node("ReduceMax", [product], { keepdims: { int: 0 } }, { outputs: ["y"] });
  graph.output("y", OnnxType.FLOAT32, []);
  return graph.encode();
}

export function unknownOperator(): Uint8Array {
  const graph = new OnnxGraph("unknown_operator");
  graph.input("x", OnnxType.FLOAT32, [1]);
  graph.node("Frobnicate", ["x"], {}, { outputs: ["y"], domain: "com.example" });
  graph.output("y", OnnxType.FLOAT32, [1]);
  return graph.encode();
}

const elementTypes: Record<TensorType, number> = {
  FLOAT32: 1,
  UINT8: 2,
  INT8: 3,
  UINT16: 4,
  INT16: 5,
  INT32: 6,
  INT64: 7,
  STRING: 8,
  BOOL: 9,
  FLOAT16: 10,
  FLOAT64: 11,
  UINT32: 12,
  UINT64: 13,
};

/** y = x, both [N, 2] of one element type. */
export function identity(type: TensorType): Uint8Array {
  const graph = new OnnxGraph("identity");
  graph.input("x", OnnxType.FLOAT32, ["N", 2]);
  graph.node("Identity", ["x"], {}, { outputs: ["y"] });
  graph.output("y", OnnxType.FLOAT32, ["N", 2]);
  const model = ModelProto.decode(graph.encode());
  for (const value of [...model.graph!.input!, ...model.graph!.output!]) {
    value.type!.tensorType!.elemType = elementTypes[type];
  }
  return ModelProto.encode(model).finish();
}

/** The linear model with its weights in a file beside it. */
export function externalWeights(location: string): Uint8Array {
  const model = ModelProto.decode(linearModel());
  const weights = model.graph!.initializer![0]!;
  weights.rawData = new Uint8Array(0);
  weights.dataLocation = TensorProto.DataLocation.EXTERNAL;
  weights.externalData = [{ key: "location", value: location }];
  return ModelProto.encode(model).finish();
}

/** A graph whose output is a sequence of tensors. */
export function sequenceOutput(): Uint8Array {
  const graph = new OnnxGraph("sequence_output");
  graph.input("x", OnnxType.FLOAT32, [4]);
  graph.node("SplitToSequence", ["x"], {}, { outputs: ["parts"] });
  graph.output("parts", OnnxType.FLOAT32, [1]);
  const model = ModelProto.decode(graph.encode());
  const output = model.graph!.output![0]!;
  output.type = TypeProto.create({ sequenceType: { elemType: output.type! } });
  return ModelProto.encode(model).finish();
}

/** An input of which the file does not say how many dimensions it has. */
export function shapelessInput(): Uint8Array {
  const model = ModelProto.decode(linearModel());
  model.graph!.input![0]!.type!.tensorType!.shape = null;
  return ModelProto.encode(model).finish();
}

/** Multiplies matrices of ones of the shape that it is given: the caller decides how long that takes. */
export function laborious(): Uint8Array {
  const graph = new OnnxGraph("laborious");
  const shape = graph.input("shape", OnnxType.INT64, [2]);
  const ones = graph.node("Expand", [graph.float32([1], [1]), shape]);
  let product = ones;
  for (let i = 0; i < 10; i++) product = graph.node("MatMul", [product, ones]);
  graph.node("ReduceMax", [product], { keepdims: { int: 0 } }, { outputs: ["y"] });
  graph.output("y", OnnxType.FLOAT32, []);
  return graph.encode();
}
