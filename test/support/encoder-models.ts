import onnxProto from "onnx-proto";
import { numberToHalf } from "../../src/shared/half-float.js";
import { OnnxGraph, OnnxType } from "../../src/shared/onnx-graph.js";

const { ModelProto, TensorProto } = onnxProto.onnx;

/** Sizes of a BERT-shaped encoder. */
export interface EncoderShape {
  vocabulary: number;
  width: number;
  layers: number;
  heads: number;
  intermediate: number;
  /** Longest text in tokens; null: positions are not embedded, and any length goes. */
  positions: number | null;
}

export const tinyShape: EncoderShape = {
  vocabulary: 200,
  width: 32,
  layers: 1,
  heads: 2,
  intermediate: 64,
  positions: 128,
};

/** Of all-MiniLM-L6-v2. */
export const miniLmShape: EncoderShape = {
  vocabulary: 30_522,
  width: 384,
  layers: 6,
  heads: 12,
  intermediate: 1536,
  positions: 512,
};

export type EncoderOutput = "last_hidden_state" | "token_embeddings" | "sentence_embedding" | "pooler_output";

export interface EncoderVariant {
  /** Of the random weights. */
  seed?: number;
  /** Names other than input_ids; attention_mask and token_type_ids by default. */
  inputs?: ("attention_mask" | "token_type_ids" | "position_ids")[];
  idType?: "INT64" | "INT32";
  /** last_hidden_state by default. */
  outputs?: EncoderOutput[];
  /** int8: DynamicQuantizeLinear and MatMulInteger; fusedInt8: com.microsoft's DynamicQuantizeMatMul. */
  weights?: "float32" | "float16" | "int8" | "fusedInt8";
  /** Declare the width of the outputs as a dynamic dimension, as some exporters do. */
  undeclaredWidth?: boolean;
}

/** Random weights; the same calls give the same bytes. What lies behind the mask changes nothing. */
export function encoder(shape: EncoderShape = tinyShape, variant: EncoderVariant = {}): Uint8Array {
  return new EncoderBuilder(shape, variant).build();
}

/** The graph with its larger tensors moved to a file beside it. */
export function withExternalData(
  model: Uint8Array,
  location = "model.onnx_data",
): { graph: Uint8Array; data: Uint8Array } {
  const parsed = ModelProto.decode(model);
  const parts: Uint8Array[] = [];
  let offset = 0;
  for (const tensor of parsed.graph!.initializer!) {
    const raw = tensor.rawData;
    if (!raw || raw.byteLength < 512) continue;
    tensor.rawData = new Uint8Array(0);
    tensor.dataLocation = TensorProto.DataLocation.EXTERNAL;
    tensor.externalData = Object.entries({ location, offset, length: raw.byteLength }).map(
      ([key, value]) => ({
        key,
        value: String(value),
      }),
    );
    parts.push(raw);
    offset += raw.byteLength;
  }
  return { graph: ModelProto.encode(parsed).finish(), data: Buffer.concat(parts) };
}

class EncoderBuilder {
  private readonly graph = new OnnxGraph("encoder");
  private readonly type: OnnxType;
  private readonly uniform: () => number;
  private readonly one: string;
  private readonly half: string;
  private readonly sqrt2: string;

  constructor(
    private readonly shape: EncoderShape,
    private readonly variant: EncoderVariant,
  ) {
    this.type = variant.weights === "float16" ? OnnxType.FLOAT16 : OnnxType.FLOAT32;
    let state = variant.seed ?? 1;
    this.uniform = () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state / 2 ** 31 - 1;
    };
    this.one = this.constant([], [1]);
    this.half = this.constant([], [0.5]);
    this.sqrt2 = this.constant([], [Math.SQRT2]);
  }

  build(): Uint8Array {
    const { graph, variant, shape } = this;
    const idType = OnnxType[variant.idType ?? "INT64"];
    const names = ["input_ids", ...(variant.inputs ?? ["attention_mask", "token_type_ids"])];
    for (const name of names) graph.input(name, idType, ["batch", "sequence"]);
    const mask = names.includes("attention_mask")
      ? graph.node("Cast", ["attention_mask"], { to: { int: this.type } })
      : this.ones("input_ids");
    let hidden = this.normalised(this.embedded(names));
    const offset = graph.node("Mul", [graph.node("Sub", [this.one, mask]), this.constant([], [-10_000])]);
    const attended = graph.node("Unsqueeze", [offset, graph.int64([2], [1, 2])]);
    for (let layer = 0; layer < shape.layers; layer++) hidden = this.layer(hidden, attended);
    for (const name of variant.outputs ?? ["last_hidden_state"]) this.output(name, hidden, mask);
    return graph.encode();
  }

  private embedded(inputs: readonly string[]): string {
    const { graph, shape } = this;
    const { width, vocabulary, positions } = shape;
    let sum = graph.node("Gather", [this.weights([vocabulary, width], 0.1), "input_ids"]);
    if (inputs.includes("token_type_ids")) {
      sum = graph.node("Add", [sum, graph.node("Gather", [this.weights([2, width], 0.1), "token_type_ids"])]);
    }
    if (positions === null) return sum;
    const table = this.weights([positions, width], 0.05);
    if (inputs.includes("position_ids")) {
      return graph.node("Add", [sum, graph.node("Gather", [table, "position_ids"])]);
    }
    const [first, end] = [graph.int64([1], [1]), graph.int64([1], [2])];
    const tokens = graph.node("Slice", [graph.node("Shape", ["input_ids"]), first, end]);
    return graph.node("Add", [sum, graph.node("Slice", [table, graph.int64([1], [0]), tokens])]);
  }

  private layer(hidden: string, attended: string): string {
    const { graph, shape } = this;
    const { width, heads, intermediate } = shape;
    const split = graph.int64([4], [0, 0, heads, width / heads]);
    const projected = (order: number[]) => {
      const parts = graph.node("Reshape", [this.dense(hidden, width, width), split]);
      return graph.node("Transpose", [parts], { perm: { ints: order } });
    };
    const [queries, keys, values] = [
      [0, 2, 1, 3],
      [0, 2, 3, 1],
      [0, 2, 1, 3],
    ].map(projected) as [string, string, string];
    const scale = this.constant([], [Math.sqrt(width / heads)]);
    const scores = graph.node("Div", [graph.node("MatMul", [queries, keys]), scale]);
    const shares = graph.node("Softmax", [graph.node("Add", [scores, attended])], { axis: { int: -1 } });
    const mixed = graph.node("Transpose", [graph.node("MatMul", [shares, values])], {
      perm: { ints: [0, 2, 1, 3] },
    });
    const joined = graph.node("Reshape", [mixed, graph.int64([3], [0, 0, width])]);
    const attention = this.normalised(graph.node("Add", [this.dense(joined, width, width), hidden]));
    const wide = this.gelu(this.dense(attention, width, intermediate));
    return this.normalised(graph.node("Add", [this.dense(wide, intermediate, width), attention]));
  }

  private output(name: EncoderOutput, hidden: string, mask: string): void {
    const { graph, shape, variant } = this;
    const width = variant.undeclaredWidth ? "width" : shape.width;
    const perToken = name === "last_hidden_state" || name === "token_embeddings";
    graph.output(name, this.type, perToken ? ["batch", "sequence", width] : ["batch", width]);
    if (perToken) graph.node("Identity", [hidden], {}, { outputs: [name] });
    else if (name === "pooler_output") {
      const first = graph.node("Gather", [hidden, graph.int64([], [0])], { axis: { int: 1 } });
      graph.node("Tanh", [this.dense(first, shape.width, shape.width)], {}, { outputs: [name] });
    } else {
      const weights = graph.node("Unsqueeze", [mask, graph.int64([1], [-1])]);
      const sum = (x: string) =>
        graph.node("ReduceSum", [x, graph.int64([1], [1])], { keepdims: { int: 0 } });
      const mean = graph.node("Div", [sum(graph.node("Mul", [hidden, weights])), sum(weights)]);
      const square = graph.node("ReduceSum", [graph.node("Mul", [mean, mean]), graph.int64([1], [-1])]);
      graph.node("Div", [mean, graph.node("Sqrt", [square])], {}, { outputs: [name] });
    }
  }

  /** x [..., rows] times random weights, plus a bias [columns]. */
  private dense(x: string, rows: number, columns: number): string {
    const { graph, variant } = this;
    const values = this.random(rows * columns, Math.sqrt(3 / rows));
    const bias = this.weights([columns], 0.05);
    if (variant.weights !== "int8" && variant.weights !== "fusedInt8") {
      return graph.node("Add", [graph.node("MatMul", [x, this.constant([rows, columns], values)]), bias]);
    }
    const step = Math.sqrt(3 / rows) / 127;
    const quantised = Int8Array.from(values, (value) => Math.round(value / step));
    const weights = graph.initializer(OnnxType.INT8, [rows, columns], quantised);
    const scale = this.constant([], [step]);
    if (variant.weights === "fusedInt8") {
      const inputs = [x, weights, scale, "", bias];
      return graph.node("DynamicQuantizeMatMul", inputs, {}, { domain: "com.microsoft" });
    }
    const outputs = ["values", "scale", "zero"].map((part) => `${part}_${weights}`);
    graph.node("DynamicQuantizeLinear", [x], {}, { outputs });
    const zero = graph.initializer(OnnxType.INT8, [], new Int8Array(1));
    const product = graph.node("MatMulInteger", [outputs[0]!, weights, outputs[2]!, zero]);
    const float = graph.node("Cast", [product], { to: { int: OnnxType.FLOAT32 } });
    return graph.node("Add", [graph.node("Mul", [float, graph.node("Mul", [outputs[1]!, scale])]), bias]);
  }

  private gelu(x: string): string {
    const { graph } = this;
    const error = graph.node("Erf", [graph.node("Div", [x, this.sqrt2])]);
    return graph.node("Mul", [graph.node("Mul", [x, graph.node("Add", [error, this.one])]), this.half]);
  }

  private normalised(x: string): string {
    const { width } = this.shape;
    const scale = this.constant([width], new Float32Array(width).fill(1));
    return this.graph.node(
      "LayerNormalization",
      [x, scale, this.constant([width], new Float32Array(width))],
      {
        axis: { int: -1 },
        epsilon: { float: 1e-12 },
      },
    );
  }

  /** Ones of the shape of another tensor. */
  private ones(like: string): string {
    const cast = this.graph.node("Cast", [like], { to: { int: this.type } });
    return this.graph.node("Add", [this.graph.node("Mul", [cast, this.constant([], [0])]), this.one]);
  }

  private weights(shape: readonly number[], limit: number): string {
    return this.constant(
      shape,
      this.random(
        shape.reduce((product, size) => product * size, 1),
        limit,
      ),
    );
  }

  private random(length: number, limit: number): Float32Array {
    const values = new Float32Array(length);
    for (let i = 0; i < length; i++) values[i] = this.uniform() * limit;
    return values;
  }

  private constant(shape: readonly number[], values: ArrayLike<number>): string {
    if (this.type !== OnnxType.FLOAT16)
      return this.graph.initializer(this.type, shape, Float32Array.from(values));
    return this.graph.initializer(this.type, shape, Uint16Array.from(values, numberToHalf));
  }
}
