import { createOnnxInferenceRuntime } from "../../src/adapters/onnx/onnx-inference-runtime.js";
import type { InferenceRuntime, ModelSource, Tensors } from "../../src/ports/inference-runtime.js";
import { ModelFolder, perceptron } from "../support/onnx-models.js";

export interface BenchTable {
  title: string;
  rows: { name: string; value: string; target?: string }[];
}

const concurrency = 32;
const rounds = 7;
const roundMs = 400;

/** What the micro-batcher and the choice of the thread gain; every ratio is of medians of one run. */
export async function inferenceBench(): Promise<BenchTable> {
  const folder = await ModelFolder.create();
  try {
    const wide = await folder.add("wide", perceptron([256, 1024, 1024, 16]));
    const tiny = await folder.add("tiny", perceptron([40, 11]));
    const batching = await compare(wide, { maxBatch: concurrency }, { maxBatch: 1 }, concurrency);
    const threads = await compare(
      wide,
      { ...inThreads, maxBatch: concurrency },
      { ...inThreads, maxBatch: 1 },
      concurrency,
    );
    const alone = await compare(tiny, {}, inThreads, 1);
    const together = await compare(tiny, {}, inThreads, concurrency);
    return {
      title: "Inference: calls per second, and their ratio",
      rows: [
        { name: "MLP 256-1024-1024-16, 32 callers: merged / not", value: shown(batching), target: "> 1.5" },
        { name: "the same, always in worker threads", value: shown(threads), target: "> 1.5" },
        { name: "linear 40-11, 1 caller: inline / worker", value: shown(alone), target: "> 1" },
        { name: "linear 40-11, 32 callers: inline / worker", value: shown(together), target: "> 1" },
      ],
    };
  } finally {
    await folder.remove();
  }
}

interface Variant {
  maxBatch?: number;
  inlineBelowMs?: number;
}

const inThreads: Variant = { inlineBelowMs: 0 };

interface Comparison {
  left: number;
  right: number;
}

/** Alternates between two settings, so that a busy machine slows both. */
async function compare(
  source: ModelSource,
  left: Variant,
  right: Variant,
  callers: number,
): Promise<Comparison> {
  const runtimes = [left, right].map((variant) =>
    createOnnxInferenceRuntime({
      cacheBytes: 1e9,
      queueLimit: 1000,
      validation: { timeoutMs: 20_000, memoryBytes: 1e9 },
      ...variant,
    }),
  );
  try {
    const inputs = await Promise.all(runtimes.map((runtime) => smallCall(runtime, source)));
    const rates: number[][] = [[], []];
    for (let round = 0; round < rounds; round++) {
      for (const [i, runtime] of runtimes.entries()) {
        rates[i]!.push(await callsPerSecond(runtime, source, inputs[i]!, callers));
      }
    }
    return { left: median(rates[0]!), right: median(rates[1]!) };
  } finally {
    await Promise.all(runtimes.map((runtime) => runtime.close()));
  }
}

async function smallCall(runtime: InferenceRuntime, source: ModelSource): Promise<Tensors> {
  const { signature } = await runtime.warm(source);
  const width = signature.inputs[0]!.shape[1]!;
  return { x: { type: "FLOAT32", shape: [1, width], data: new Float32Array(width).fill(0.1) } };
}

async function callsPerSecond(
  runtime: InferenceRuntime,
  source: ModelSource,
  inputs: Tensors,
  callers: number,
): Promise<number> {
  const start = performance.now();
  let calls = 0;
  const caller = async () => {
    while (performance.now() - start < roundMs) {
      await runtime.run(source, inputs);
      calls++;
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return (calls / (performance.now() - start)) * 1000;
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1]!;
}

function shown({ left, right }: Comparison): string {
  const rate = (value: number) => Math.round(value).toLocaleString("en");
  return `${(left / right).toFixed(2)}  (${rate(left)} / ${rate(right)})`;
}
