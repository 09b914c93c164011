import { createOnnxInferenceRuntime } from "../../src/adapters/onnx/onnx-inference-runtime.js";
import type { RunReport } from "../../src/adapters/onnx/micro-batcher.js";
import type {
  EncoderRun,
  InferenceRuntime,
  ModelSource,
  Tensors,
} from "../../src/ports/inference-runtime.js";
import { encoder, tinyShape } from "../support/encoder-models.js";
import { ModelFolder, linearModel } from "../support/onnx-models.js";

let folder: ModelFolder;
let small: ModelSource;
/** 16 texts of 128 tokens take it some hundred milliseconds. */
let large: ModelSource;
let runtime: InferenceRuntime;
let reports: RunReport[];

beforeAll(async () => {
  folder = await ModelFolder.create();
  small = await folder.add("small", encoder());
  large = await folder.add(
    "large",
    encoder({ ...tinyShape, width: 256, layers: 4, heads: 4, intermediate: 1024 }),
  );
});
afterEach(() => runtime.close());
afterAll(() => folder.remove());

function start(settings: object = {}): InferenceRuntime {
  reports = [];
  runtime = createOnnxInferenceRuntime({
    workers: 1,
    cacheBytes: 1e9,
    queueLimit: 100,
    validation: { timeoutMs: 20_000, memoryBytes: 1e9 },
    onRun: (report) => reports.push(report),
    ...settings,
  });
  return runtime;
}

function batch(texts: number, tokens: number, id = 7): Tensors {
  const shape = [texts, tokens];
  const tensor = (value: bigint) => ({
    type: "INT64" as const,
    shape,
    data: new BigInt64Array(texts * tokens).fill(value),
  });
  return { input_ids: tensor(BigInt(id)), attention_mask: tensor(1n), token_type_ids: tensor(0n) };
}

function encoderRun(texts: number, tokens: number, change: Partial<EncoderRun> = {}): EncoderRun {
  return {
    inputs: batch(texts, tokens),
    pooling: {
      output: "last_hidden_state",
      pooling: "CLS",
      lengths: new Array<number>(texts).fill(tokens),
      dimensions: 32,
      normalize: false,
    },
    priority: "bulk",
    ...change,
  };
}

test.each([
  ["inline", 1_000],
  ["worker", 0],
] as const)("vectors are pooled where they were computed: %s", async (_, inlineBelowMs) => {
  // A busy machine takes too long to load it on the calling thread.
  const { placement } = await start({ inlineBelowMs }).warm(small);
  const run = encoderRun(3, 5, { priority: "interactive" });
  const { vectors, seconds } = await runtime.encode(small, run);
  const outputs = await runtime.run(small, batch(3, 5));
  const hidden = outputs.last_hidden_state!.data as Float32Array;
  for (let text = 0; text < 3; text++) {
    const first = hidden.slice(text * 5 * 32, text * 5 * 32 + 32);
    expect([...vectors.slice(text * 32, (text + 1) * 32)]).toEqual([...first]);
  }
  expect(seconds).toBeGreaterThan(0);
  expect(reports[0]).toMatchObject({ key: "small", batchRows: 3, calls: 1, placement });
});

test("bulk runs stay off the calling thread, however small the model", async () => {
  await start({ inlineBelowMs: 1_000 }).warm(small);
  await runtime.encode(small, encoderRun(1, 2));
  expect(reports.map(({ placement }) => placement)).toEqual(["worker"]);
});

test("runs are never merged", async () => {
  await start({ inlineBelowMs: 0 }).warm(small);
  await Promise.all(Array.from({ length: 5 }, () => runtime.encode(small, encoderRun(2, 4))));
  expect(reports.map(({ batchRows }) => batchRows)).toEqual([2, 2, 2, 2, 2]);
});

test("an interactive run does not wait for the bulk run that holds the only thread", async () => {
  await start().warm(large);
  const ended: string[] = [];
  const bulk = [1, 2, 3].map(() => runtime.encode(large, encoderRun(16, 128)).then(() => ended.push("bulk")));
  // The first bulk run of a model also brings it to the thread that is held for queries.
  await runtime.encode(large, encoderRun(1, 4, { priority: "interactive" }));
  await Promise.race(bulk);
  const more = runtime.encode(large, encoderRun(16, 128)).then(() => ended.push("bulk"));
  const query = runtime.encode(large, encoderRun(1, 4, { priority: "interactive" }));
  await query.then(() => ended.push("query"));
  expect(ended.filter((name) => name === "bulk").length).toBeLessThan(3);
  await Promise.all([...bulk, more]);
});

test("a run that the graph refuses fails alone", async () => {
  await start({ inlineBelowMs: 0 }).warm(small);
  const bad = encoderRun(1, 4, { inputs: batch(1, 4, 100_000) });
  await expect(runtime.encode(small, bad)).rejects.toMatchObject({ code: "INVALID_INPUT" });
  await expect(runtime.encode(small, encoderRun(1, 4))).resolves.toMatchObject({});
});

test("what waits is counted, and turned away beyond the limit", async () => {
  await start({ queueLimit: 2 }).warm(large);
  const runs = Array.from({ length: 3 }, () => runtime.encode(large, encoderRun(16, 128)));
  await new Promise(setImmediate);
  expect(runtime.stats()).toMatchObject({ queued: 2, workers: 1 });
  await expect(runtime.encode(large, encoderRun(1, 1))).rejects.toMatchObject({ code: "OVERLOADED" });
  await Promise.all(runs);
  expect(runtime.stats().queued).toBe(0);
});

test("a model is served by the CPU where the preferred provider is not to be had, and says so", async () => {
  const providers: string[] = [];
  const onProvider = (provider: string) => providers.push(provider);
  await start({ providers: ["cuda", "cpu"], onProvider }).warm(small);
  const source = await folder.add("linear", linearModel());
  await runtime.warm(source);
  expect(providers).toHaveLength(2);
  for (const provider of providers) expect(["cuda", "cpu"]).toContain(provider);
  await expect(runtime.encode(small, encoderRun(2, 4))).resolves.toMatchObject({});
});
