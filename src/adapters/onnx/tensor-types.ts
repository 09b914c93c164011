import type { Tensor } from "onnxruntime-node";
import type { TensorType } from "../../ports/inference-runtime.js";

/** Names of the element types in onnxruntime. */
export const runtimeTypes: Record<TensorType, Tensor.Type> = {
  FLOAT32: "float32",
  FLOAT64: "float64",
  FLOAT16: "float16",
  INT8: "int8",
  INT16: "int16",
  INT32: "int32",
  INT64: "int64",
  UINT8: "uint8",
  UINT16: "uint16",
  UINT32: "uint32",
  UINT64: "uint64",
  BOOL: "bool",
  STRING: "string",
};

const graphTypes = new Map(
  Object.entries(runtimeTypes).map(([type, runtimeType]) => [runtimeType, type as TensorType]),
);

/** The graph's name of an element type, or undefined for one that the contract does not have (int4, ...). */
export function graphType(runtimeType: string): TensorType | undefined {
  return graphTypes.get(runtimeType as Tensor.Type);
}

const arrays = {
  FLOAT32: Float32Array,
  FLOAT64: Float64Array,
  FLOAT16: Uint16Array,
  INT8: Int8Array,
  INT16: Int16Array,
  INT32: Int32Array,
  INT64: BigInt64Array,
  UINT8: Uint8Array,
  UINT16: Uint16Array,
  UINT32: Uint32Array,
  UINT64: BigUint64Array,
  BOOL: Uint8Array,
};

export type NumericBuffer = InstanceType<(typeof arrays)[keyof typeof arrays]>;

/** A zeroed buffer for `length` elements of a numeric type. */
export function numericBuffer(type: Exclude<TensorType, "STRING">, length: number): NumericBuffer {
  return new arrays[type](length);
}

/** Number of elements of a shape; 1 for a scalar. */
export function elementCount(shape: readonly number[]): number {
  let count = 1;
  for (const size of shape) count *= size;
  return count;
}
