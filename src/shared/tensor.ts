/** Element types of tensors, as the graph names them. */
export type TensorType =
  | "FLOAT32"
  | "FLOAT64"
  | "FLOAT16"
  | "INT8"
  | "INT16"
  | "INT32"
  | "INT64"
  | "UINT8"
  | "UINT16"
  | "UINT32"
  | "UINT64"
  | "BOOL"
  | "STRING";

/**
 * A dense tensor in row-major order. FLOAT16 is held as its bits in a Uint16Array, BOOL as 0 and 1
 * in a Uint8Array, STRING as an array of strings.
 */
export interface TensorValue {
  type: TensorType;
  shape: number[];
  data: TensorBuffer;
}

export type TensorBuffer =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array
  | string[];

/** One input or output of a graph; null stands for a dynamic dimension. */
export interface TensorSpec {
  name: string;
  type: TensorType;
  shape: (number | null)[];
}

export interface ModelSignature {
  inputs: TensorSpec[];
  outputs: TensorSpec[];
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

export type NumericType = Exclude<TensorType, "STRING">;
export type NumericBuffer = InstanceType<(typeof arrays)[NumericType]>;

/** A zeroed buffer for `length` elements of a numeric type. */
export function numericBuffer(type: NumericType, length: number): NumericBuffer {
  return new arrays[type](length);
}

export function bytesPerElement(type: NumericType): number {
  return arrays[type].BYTES_PER_ELEMENT;
}

/** Number of elements of a shape; 1 for a scalar. */
export function elementCount(shape: readonly number[]): number {
  let count = 1;
  for (const size of shape) count *= size;
  return count;
}
