import type { Tensors, TensorSpec, TensorValue } from "../../ports/inference-runtime.js";
import { elementCount, numericBuffer } from "../../shared/tensor.js";

/** 64 MB of floats: beyond that a trial would cost more than it tells. */
const mostElements = 16_000_000;

/**
 * The smallest inputs that a graph declares: zeros and empty strings, every dynamic dimension 1.
 * @returns undefined when even those are too large to try
 */
export function smallestInputs(specs: readonly TensorSpec[]): Tensors | undefined {
  return trialInputs(specs, { rows: 1, dynamicSize: 1, value: () => 0 });
}

/**
 * Inputs that differ from row to row: floats between -1 and 1; integers, flags and strings of two values,
 * since those are often indices.
 * @param rows size of a dynamic first dimension
 * @param dynamicSize size of the other dynamic dimensions
 */
export function variedInputs(
  specs: readonly TensorSpec[],
  shape: { rows: number; dynamicSize: number; seed: number },
): Tensors | undefined {
  let state = shape.seed;
  const uniform = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 31 - 1;
  };
  return trialInputs(specs, { ...shape, value: uniform });
}

interface Trial {
  rows: number;
  dynamicSize: number;
  value: () => number;
}

function trialInputs(specs: readonly TensorSpec[], trial: Trial): Tensors | undefined {
  const inputs: Tensors = {};
  let total = 0;
  for (const spec of specs) {
    const shape = spec.shape.map((size, axis) => size ?? (axis === 0 ? trial.rows : trial.dynamicSize));
    total += elementCount(shape);
    if (total > mostElements) return undefined;
    inputs[spec.name] = trialTensor(spec, shape, trial.value);
  }
  return inputs;
}

function trialTensor({ type }: TensorSpec, shape: number[], value: () => number): TensorValue {
  const length = elementCount(shape);
  if (type === "STRING") {
    return { type, shape, data: Array.from({ length }, () => (value() > 0 ? "a" : "")) };
  }
  const data = numericBuffer(type, length);
  for (let i = 0; i < length; i++) {
    if (data instanceof BigInt64Array || data instanceof BigUint64Array) data[i] = value() > 0 ? 1n : 0n;
    // 0x3800 are the bits of 0.5, in half precision.
    else if (type === "FLOAT16") data[i] = value() > 0 ? 0x3800 : 0;
    else data[i] = type === "FLOAT32" || type === "FLOAT64" ? value() : Number(value() > 0);
  }
  return { type, shape, data };
}
