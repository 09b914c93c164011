import type { Tensors, TensorValue } from "../../ports/inference-runtime.js";
import { elementCount, numericBuffer } from "../../shared/tensor.js";

/** Rows of a call: the first dimension that all of its inputs share, or undefined when they share none. */
export function sharedRows(inputs: Tensors): number | undefined {
  let rows: number | undefined;
  for (const name in inputs) {
    const first = inputs[name]!.shape[0];
    if (first === undefined || (rows !== undefined && first !== rows)) return undefined;
    rows = first;
  }
  return rows;
}

/** Stacks tensors of one name along the first dimension; the caller has checked that the rest agrees. */
export function stackRows(calls: readonly Tensors[]): Tensors {
  const stacked: Tensors = {};
  for (const name in calls[0]!) stacked[name] = stack(calls.map((inputs) => inputs[name]!));
  return stacked;
}

function stack(parts: readonly TensorValue[]): TensorValue {
  const { type, shape } = parts[0]!;
  let rows = 0;
  for (const part of parts) rows += part.shape[0]!;
  const stackedShape = [rows, ...shape.slice(1)];
  if (type === "STRING") {
    return { type, shape: stackedShape, data: parts.flatMap((part) => part.data as string[]) };
  }
  const data = numericBuffer(type, elementCount(stackedShape));
  let offset = 0;
  for (const part of parts) {
    (data as Float32Array).set(part.data as Float32Array, offset);
    offset += part.data.length;
  }
  return { type, shape: stackedShape, data };
}

/**
 * Takes a batch's outputs apart again.
 * @param rows of each call, in the order in which they were stacked
 * @returns undefined when an output's first dimension is not the batch's
 */
export function splitRows(outputs: Tensors, rows: readonly number[]): Tensors[] | undefined {
  let total = 0;
  for (const count of rows) total += count;
  const calls: Tensors[] = rows.map(() => ({}));
  for (const name in outputs) {
    const { type, shape, data } = outputs[name]!;
    if (shape[0] !== total) return undefined;
    const width = elementCount(shape.slice(1));
    let offset = 0;
    for (const [i, count] of rows.entries()) {
      const part = data.slice(offset, offset + count * width);
      calls[i]![name] = { type, shape: [count, ...shape.slice(1)], data: part };
      offset += count * width;
    }
  }
  return calls;
}
