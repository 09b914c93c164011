/** Element types of TensorProto, by the numbers of onnx.proto. */
export const OnnxType = {
  FLOAT32: 1,
  UINT8: 2,
  INT8: 3,
  INT32: 6,
  INT64: 7,
  STRING: 8,
  BOOL: 9,
  FLOAT16: 10,
  FLOAT64: 11,
} as const;
export type OnnxType = (typeof OnnxType)[keyof typeof OnnxType];

/** An attribute of a node; the key says its ONNX type. */
export type OnnxAttribute =
  | { int: number | bigint }
  | { float: number }
  | { string: string }
  | { ints: ArrayLike<number> }
  | { floats: ArrayLike<number> }
  | { strings: readonly string[] };

export interface NodeOptions {
  /** Operator set other than ai.onnx, e.g. `ai.onnx.ml`. */
  domain?: string;
  /** Names of the node's outputs; one generated name by default. */
  outputs?: readonly string[];
}

const IR_VERSION = 8;
const OPERATOR_SETS = { "": 17, "ai.onnx.ml": 3 } as const;

/**
 * Builds one ONNX model. Tensors are known by their names; whatever makes one returns its name.
 * Nodes must be added in the order in which they run. The same calls give the same bytes.
 */
export class OnnxGraph {
  private readonly inputs: ProtobufMessage[] = [];
  private readonly outputs: ProtobufMessage[] = [];
  private readonly initializers: ProtobufMessage[] = [];
  private readonly nodes: ProtobufMessage[] = [];
  private readonly properties: ProtobufMessage[] = [];
  private readonly domains = new Map<string, number>(Object.entries(OPERATOR_SETS));
  private named = 0;

  constructor(
    private readonly name: string,
    private readonly producer = "254carbon",
  ) {}

  /** @param shape a string names a dynamic dimension */
  input(name: string, type: OnnxType, shape: readonly (number | string)[]): string {
    this.inputs.push(valueInfo(name, type, shape));
    return name;
  }

  output(name: string, type: OnnxType, shape: readonly (number | string)[]): string {
    this.outputs.push(valueInfo(name, type, shape));
    return name;
  }

  float32(shape: readonly number[], data: ArrayLike<number>, name?: string): string {
    return this.initializer(OnnxType.FLOAT32, shape, Float32Array.from(data), name);
  }

  float64(shape: readonly number[], data: ArrayLike<number>, name?: string): string {
    return this.initializer(OnnxType.FLOAT64, shape, Float64Array.from(data), name);
  }

  int64(shape: readonly number[], data: ArrayLike<number>, name?: string): string {
    return this.initializer(OnnxType.INT64, shape, BigInt64Array.from(Array.from(data), BigInt), name);
  }

  /** A constant tensor. @param data its elements, row-major, little-endian as typed arrays are here */
  initializer(
    type: OnnxType,
    shape: readonly number[],
    data: ArrayBufferView,
    name = this.fresh("c"),
  ): string {
    const tensor = new ProtobufMessage().packedInts(1, shape).int(2, type).string(8, name);
    tensor.bytes(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    this.initializers.push(tensor);
    return name;
  }

  /** Adds a node. @returns the name of its first output */
  node(
    operator: string,
    inputs: readonly string[],
    attributes: Record<string, OnnxAttribute> = {},
    { domain = "", outputs = [this.fresh("t")] }: NodeOptions = {},
  ): string {
    if (!this.domains.has(domain)) this.domains.set(domain, 1);
    const node = new ProtobufMessage();
    for (const input of inputs) node.string(1, input);
    for (const output of outputs) node.string(2, output);
    node.string(3, `${operator}_${this.nodes.length}`).string(4, operator);
    for (const [name, value] of Object.entries(attributes)) node.message(5, attribute(name, value));
    if (domain) node.string(7, domain);
    this.nodes.push(node);
    return outputs[0]!;
  }

  /** A fact about the model that travels in its `metadata_props`. */
  metadata(key: string, value: string): void {
    this.properties.push(new ProtobufMessage().string(1, key).string(2, value));
  }

  /** The bytes of the ONNX file. */
  encode(): Uint8Array {
    const graph = new ProtobufMessage();
    for (const node of this.nodes) graph.message(1, node);
    graph.string(2, this.name);
    for (const initializer of this.initializers) graph.message(5, initializer);
    for (const input of this.inputs) graph.message(11, input);
    for (const output of this.outputs) graph.message(12, output);
    const model = new ProtobufMessage().int(1, IR_VERSION).string(2, this.producer).message(7, graph);
    for (const [domain, version] of this.domains) {
      model.message(8, new ProtobufMessage().string(1, domain).int(2, version));
    }
    for (const property of this.properties) model.message(14, property);
    return model.encode();
  }

  private fresh(prefix: string): string {
    return `${prefix}${this.named++}`;
  }
}

function valueInfo(name: string, type: OnnxType, shape: readonly (number | string)[]): ProtobufMessage {
  const dimensions = new ProtobufMessage();
  for (const size of shape) {
    const dimension = new ProtobufMessage();
    dimensions.message(1, typeof size === "number" ? dimension.int(1, size) : dimension.string(2, size));
  }
  const tensor = new ProtobufMessage().int(1, type).message(2, dimensions);
  return new ProtobufMessage().string(1, name).message(2, new ProtobufMessage().message(1, tensor));
}

/** AttributeProto; field 20 is its type, an enum of onnx.proto. */
function attribute(name: string, value: OnnxAttribute): ProtobufMessage {
  const message = new ProtobufMessage().string(1, name);
  if ("int" in value) return message.int(3, value.int).int(20, 2);
  if ("float" in value) return message.float(2, value.float).int(20, 1);
  if ("string" in value) return message.string(4, value.string).int(20, 3);
  if ("ints" in value) return message.packedInts(8, value.ints).int(20, 7);
  if ("floats" in value) return message.packedFloats(7, value.floats).int(20, 6);
  for (const item of value.strings) message.string(9, item);
  return message.int(20, 8);
}

/** Protocol buffer wire format, as much of it as onnx.proto needs. */
class ProtobufMessage {
  private readonly parts: Uint8Array[] = [];
  private size = 0;

  int(field: number, value: number | bigint): this {
    return this.tag(field, 0).varint(value);
  }

  float(field: number, value: number): this {
    return this.tag(field, 5).append(new Uint8Array(Float32Array.of(value).buffer));
  }

  string(field: number, value: string): this {
    return this.bytes(field, new TextEncoder().encode(value));
  }

  bytes(field: number, value: Uint8Array): this {
    return this.tag(field, 2).varint(value.byteLength).append(value);
  }

  message(field: number, value: ProtobufMessage): this {
    this.tag(field, 2).varint(value.size);
    for (const part of value.parts) this.append(part);
    return this;
  }

  packedInts(field: number, values: ArrayLike<number>): this {
    const packed = new ProtobufMessage();
    for (let i = 0; i < values.length; i++) packed.varint(values[i]!);
    return this.message(field, packed);
  }

  packedFloats(field: number, values: ArrayLike<number>): this {
    return this.bytes(field, new Uint8Array(Float32Array.from(values).buffer));
  }

  encode(): Uint8Array {
    const bytes = new Uint8Array(this.size);
    let offset = 0;
    for (const part of this.parts) {
      bytes.set(part, offset);
      offset += part.byteLength;
    }
    return bytes;
  }

  private tag(field: number, wireType: number): this {
    return this.varint((field << 3) | wireType);
  }

  private varint(value: number | bigint): this {
    const bytes: number[] = [];
    let rest = BigInt.asUintN(64, BigInt(value));
    while (rest > 0x7fn) {
      bytes.push(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    }
    bytes.push(Number(rest));
    return this.append(Uint8Array.from(bytes));
  }

  private append(bytes: Uint8Array): this {
    this.parts.push(bytes);
    this.size += bytes.byteLength;
    return this;
  }
}
