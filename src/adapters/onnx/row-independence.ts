import type { ModelSignature, Tensors, TensorValue } from "../../ports/inference-runtime.js";
import { halfToNumber } from "../../shared/half-float.js";
import type { GraphSession } from "./graph-session.js";
import { splitRows, stackRows } from "./tensor-rows.js";
import { variedInputs } from "./trial-inputs.js";

/** Kernels add in another order for another batch size; a graph whose rows mix differs by far more. */
const tolerance = { FLOAT16: 1e-2, other: 1e-4 };

/**
 * Whether a batch gives every row what it would get alone, so that calls may be merged. A shape alone does not
 * tell: a softmax over the first axis, or a quantisation scale over the whole tensor, mixes the rows.
 */
export async function rowsAreIndependent(session: GraphSession, signature: ModelSignature): Promise<boolean> {
  const specs = [...signature.inputs, ...signature.outputs];
  if (signature.inputs.length === 0 || specs.some(({ shape }) => shape[0] !== null)) return false;
  let tried = 0;
  for (const dynamicSize of [3, 1]) {
    const rows = [1, 2].map((seed) => variedInputs(signature.inputs, { rows: 1, dynamicSize, seed }));
    const alone: Tensors[] = [];
    for (const row of rows) {
      const outputs = row && (await session.run(row).catch(() => undefined));
      if (outputs) alone.push(outputs);
    }
    if (alone.length < 2) continue;
    const outputs = await session.run(stackRows(rows as Tensors[])).catch(() => undefined);
    const together = outputs && splitRows(outputs, [1, 1]);
    if (!together || !together.every((row, i) => agree(row, alone[i]!))) return false;
    tried++;
  }
  return tried > 0;
}

function agree(left: Tensors, right: Tensors): boolean {
  return Object.keys(left).every((name) => sameTensor(left[name]!, right[name]!));
}

function sameTensor(left: TensorValue, right: TensorValue): boolean {
  if (left.shape.join() !== right.shape.join()) return false;
  const { type } = left;
  if (type !== "FLOAT32" && type !== "FLOAT64" && type !== "FLOAT16") {
    return left.data.every((value: unknown, i: number) => value === right.data[i]);
  }
  const [a, b] = [numbers(left), numbers(right)];
  const allowed = type === "FLOAT16" ? tolerance.FLOAT16 : tolerance.other;
  return a.every((value, i) => {
    if (Object.is(value, b[i])) return true;
    return Math.abs(value - b[i]!) <= allowed * Math.max(1, Math.abs(value), Math.abs(b[i]!));
  });
}

function numbers({ type, data }: TensorValue): number[] {
  return type === "FLOAT16"
    ? Array.from(data as Uint16Array, halfToNumber)
    : Array.from(data as Float32Array);
}
