import onnxProto from "onnx-proto";
import { elementCount, numericBuffer } from "../../src/shared/tensor.js";
import type { TensorType, TensorValue } from "../../src/shared/tensor.js";

const types: Record<number, TensorType> = {
  1: "FLOAT32",
  2: "UINT8",
  3: "INT8",
  4: "UINT16",
  5: "INT16",
  6: "INT32",
  7: "INT64",
  8: "STRING",
  9: "BOOL",
  10: "FLOAT16",
  11: "FLOAT64",
  12: "UINT32",
  13: "UINT64",
};

/** Decodes a TensorProto, the format of the ONNX backend tests' inputs and outputs. */
export function readTensorProto(bytes: Uint8Array): { name: string; value: TensorValue } {
  const tensor = onnxProto.onnx.TensorProto.decode(bytes);
  const type = types[tensor.dataType];
  if (!type) throw new Error(`${tensor.name} is no tensor of a served type`);
  const shape = tensor.dims.map(Number);
  if (type === "STRING") {
    const data = tensor.stringData.map((text) => Buffer.from(text).toString("utf8"));
    return { name: tensor.name, value: { type, shape, data } };
  }
  const data = numericBuffer(type, elementCount(shape));
  if (tensor.rawData.length > 0) Buffer.from(data.buffer).set(tensor.rawData);
  else
    fill(data, [
      ...tensor.floatData,
      ...tensor.doubleData,
      ...tensor.int32Data,
      ...tensor.int64Data,
      ...tensor.uint64Data,
    ]);
  return { name: tensor.name, value: { type, shape, data } };
}

function fill(data: ReturnType<typeof numericBuffer>, values: readonly { toString(): string }[]): void {
  for (const [i, value] of values.entries()) {
    const text = value.toString();
    if (data instanceof BigInt64Array || data instanceof BigUint64Array) data[i] = BigInt(text);
    else data[i] = Number(text);
  }
}
