import type { ModelSignature, Tensors, TensorSpec } from "../../ports/inference-runtime.js";
import type { GraphSession } from "./graph-session.js";
import { rowsAreIndependent } from "./row-independence.js";
import { smallestInputs, variedInputs } from "./trial-inputs.js";

/** How long a run takes: `baseMs` for the smallest inputs, and `perElementMs` for each input element beyond. */
export interface RunCost {
  baseMs: number;
  smallestElements: number;
  perElementMs: number;
}

export interface GraphTrial {
  signature: ModelSignature;
  /** Undefined when the graph refuses the smallest inputs. */
  cost: RunCost | undefined;
  /** Whether concurrent calls may be stacked along the first dimension. */
  rowsIndependent: boolean;
}

const timedRuns = 5;
const timedRows = 16;

/**
 * The signature that the graph keeps: dimensions of outputs that a run with the smallest inputs contradicts
 * are dynamic, since onnxruntime does not check what a file declares there.
 */
export async function observeSignature(session: GraphSession): Promise<ModelSignature> {
  const { declared } = session;
  const inputs = smallestInputs(declared.inputs);
  const outputs = inputs && (await session.run(inputs).catch(() => undefined));
  return outputs
    ? { ...declared, outputs: declared.outputs.map((spec) => corrected(spec, outputs)) }
    : declared;
}

function corrected(spec: TensorSpec, outputs: Tensors): TensorSpec {
  const actual = outputs[spec.name]!.shape;
  if (actual.length !== spec.shape.length) return { ...spec, shape: actual.map(() => null) };
  return { ...spec, shape: spec.shape.map((size, axis) => (size === actual[axis] ? size : null)) };
}

/** Runs the graph a few times to learn how it wants to be served. */
export async function tryGraph(session: GraphSession): Promise<GraphTrial> {
  const signature = await observeSignature(session);
  const rowsIndependent = await rowsAreIndependent(session, signature);
  const smallest = smallestInputs(signature.inputs);
  const baseMs = smallest && (await fastestMs(session, smallest));
  if (!smallest || baseMs === undefined) return { signature, cost: undefined, rowsIndependent };
  const smallestElements = countElements(smallest);
  const batch = rowsIndependent
    ? variedInputs(signature.inputs, { rows: timedRows, dynamicSize: 1, seed: 1 })
    : undefined;
  const batchMs = batch && (await fastestMs(session, batch));
  const perElementMs = batchMs
    ? Math.max(0, batchMs - baseMs) / ((timedRows - 1) * smallestElements)
    : baseMs / Math.max(1, smallestElements);
  return { signature, cost: { baseMs, smallestElements, perElementMs }, rowsIndependent };
}

/** Elements of all tensors together. */
export function countElements(tensors: Tensors): number {
  let count = 0;
  for (const name in tensors) count += tensors[name]!.data.length;
  return count;
}

export function expectedMs({ baseMs, smallestElements, perElementMs }: RunCost, elements: number): number {
  return baseMs + Math.max(0, elements - smallestElements) * perElementMs;
}

/** The fastest of some runs: what the graph costs; the slower ones tell how busy the machine was. */
async function fastestMs(session: GraphSession, inputs: Tensors): Promise<number | undefined> {
  try {
    await session.run(inputs);
    const times: number[] = [];
    for (let i = 0; i < timedRuns; i++) {
      const start = performance.now();
      await session.run(inputs);
      times.push(performance.now() - start);
    }
    return Math.min(...times);
  } catch {
    return undefined;
  }
}
