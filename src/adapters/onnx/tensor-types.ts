import type { Tensor } from "onnxruntime-node";
import type { TensorType } from "../../shared/tensor.js";

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
