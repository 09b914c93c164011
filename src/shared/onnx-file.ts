import { closeSync, fstatSync, openSync } from "node:fs";
import { UnservableGraphError } from "./unservable-graph-error.js";
import { MalformedProtobufError, ProtobufCursor } from "./protobuf-cursor.js";
import type { ProtobufField } from "./protobuf-cursor.js";

/** What the file itself says, read without loading it. */
export interface OnnxFileSummary {
  /** Every operator, those of subgraphs and local functions included. */
  operators: Set<string>;
  /** Names of the files with external tensor data. */
  externalFiles: Set<string>;
  /** Inputs and outputs that are no dense tensors: name -> what they are. */
  otherValues: Map<string, string>;
  /** Inputs and outputs that do not say how many dimensions they have; onnxruntime shows them as scalars. */
  shapeless: Set<string>;
}

// Field numbers of onnx.proto, stable since version 3 of the format.
const model = { irVersion: 1, graph: 7, functions: 25 };
const graph = { nodes: 1, initializers: 5, inputs: 11, outputs: 12, sparseInitializers: 15 };
const functionNodes = 7;
const node = { operator: 4, attributes: 5 };
const attribute = { tensor: 5, graph: 6, tensors: 10, graphs: 11, sparse: 22, sparses: 23 };
const sparse = { values: 1, indices: 2 };
const externalData = 13;
const entry = { key: 1, value: 2 };
const valueInfo = { name: 1, type: 2 };
const tensorType = 1;
const tensorShape = 2;
const valueKinds = new Map([
  [4, "a sequence"],
  [5, "a map"],
  [7, "an opaque type"],
  [8, "a sparse tensor"],
  [9, "an optional"],
]);

/** Wire types of the top-level fields; anything else at the top is not an ONNX file. */
const modelFields = new Map([
  [1, 0],
  [2, 2],
  [3, 2],
  [4, 2],
  [5, 0],
  [6, 2],
  [7, 2],
  [8, 2],
  [14, 2],
  [20, 2],
  [25, 2],
  [26, 2],
]);
const deepestNesting = 100;

/** Operators whose time or output size depends on the values they are given. */
const valueDependent = new Set([
  "Loop",
  "Scan",
  "ConstantOfShape",
  "Expand",
  "MaxUnpool",
  "Multinomial",
  "OneHot",
  "Pad",
  "Range",
  "Resize",
  "Tile",
  "Upsample",
]);

/** @throws {UnservableGraphError} for a file that is not ONNX or is truncated */
export function readOnnxFile(path: string): OnnxFileSummary {
  const file = openSync(path, "r");
  try {
    return new OnnxFileReader(new ProtobufCursor(file)).read(fstatSync(file).size);
  } finally {
    closeSync(file);
  }
}

/** Whether the shapes of the inputs alone decide how long a run takes. */
export function hasPredictableCost(path: string): boolean {
  for (const operator of readOnnxFile(path).operators) if (valueDependent.has(operator)) return false;
  return true;
}

class OnnxFileReader {
  private readonly summary: OnnxFileSummary = {
    operators: new Set(),
    externalFiles: new Set(),
    otherValues: new Map(),
    shapeless: new Set(),
  };

  constructor(private readonly cursor: ProtobufCursor) {}

  read(bytes: number): OnnxFileSummary {
    const seen = new Set<number>();
    try {
      for (const field of this.cursor.fields(0, bytes)) {
        if (modelFields.get(field.number) !== field.wireType) throw notOnnx();
        seen.add(field.number);
        if (field.number === model.graph) this.graph(field, 0);
        if (field.number === model.functions) this.nodes(field, functionNodes, 0);
      }
    } catch (error) {
      if (!(error instanceof MalformedProtobufError)) throw error;
      if (error.truncated && seen.has(model.irVersion)) {
        throw new UnservableGraphError(`The file is truncated: ${error.message}`);
      }
      throw notOnnx();
    }
    if (!seen.has(model.irVersion) || !seen.has(model.graph)) throw notOnnx();
    return this.summary;
  }

  private graph(message: ProtobufField, depth: number): void {
    if (depth > deepestNesting) throw new UnservableGraphError("The graph is nested too deeply");
    for (const field of this.cursor.fields(message.start, message.end)) {
      if (field.wireType !== 2) continue;
      if (field.number === graph.nodes) this.node(field, depth);
      else if (field.number === graph.initializers) this.tensor(field);
      else if (field.number === graph.sparseInitializers) this.sparseTensor(field);
      else if (depth === 0 && (field.number === graph.inputs || field.number === graph.outputs))
        this.value(field);
    }
  }

  private nodes(message: ProtobufField, number: number, depth: number): void {
    for (const field of this.cursor.fields(message.start, message.end)) {
      if (field.number === number && field.wireType === 2) this.node(field, depth);
    }
  }

  private node(message: ProtobufField, depth: number): void {
    for (const field of this.cursor.fields(message.start, message.end)) {
      if (field.wireType !== 2) continue;
      if (field.number === node.operator) this.summary.operators.add(this.cursor.text(field));
      else if (field.number === node.attributes) this.attribute(field, depth);
    }
  }

  private attribute(message: ProtobufField, depth: number): void {
    for (const field of this.cursor.fields(message.start, message.end)) {
      if (field.wireType !== 2) continue;
      const { number } = field;
      if (number === attribute.tensor || number === attribute.tensors) this.tensor(field);
      else if (number === attribute.sparse || number === attribute.sparses) this.sparseTensor(field);
      else if (number === attribute.graph || number === attribute.graphs) this.graph(field, depth + 1);
    }
  }

  private sparseTensor(message: ProtobufField): void {
    for (const field of this.cursor.fields(message.start, message.end)) {
      if (field.number === sparse.values || field.number === sparse.indices) this.tensor(field);
    }
  }

  private tensor(message: ProtobufField): void {
    for (const field of this.cursor.fields(message.start, message.end)) {
      if (field.number !== externalData || field.wireType !== 2) continue;
      let [key, value] = ["", ""];
      for (const part of this.cursor.fields(field.start, field.end)) {
        if (part.number === entry.key) key = this.cursor.text(part);
        else if (part.number === entry.value) value = this.cursor.text(part);
      }
      if (key === "location") this.summary.externalFiles.add(value);
    }
  }

  private value(message: ProtobufField): void {
    let name = "";
    for (const field of this.cursor.fields(message.start, message.end)) {
      if (field.number === valueInfo.name) name = this.cursor.text(field);
      if (field.number !== valueInfo.type) continue;
      for (const type of this.cursor.fields(field.start, field.end)) {
        const kind = valueKinds.get(type.number);
        if (kind) this.summary.otherValues.set(name, kind);
        else if (type.number === tensorType && !this.has(tensorShape, type)) this.summary.shapeless.add(name);
      }
    }
  }

  private has(number: number, message: ProtobufField): boolean {
    for (const field of this.cursor.fields(message.start, message.end))
      if (field.number === number) return true;
    return false;
  }
}

function notOnnx(): UnservableGraphError {
  return new UnservableGraphError("The file is not an ONNX model");
}
