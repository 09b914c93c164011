import { createOnnxInferenceRuntime } from "../../src/adapters/onnx/onnx-inference-runtime.js";
import type { OnnxInferenceSettings } from "../../src/adapters/onnx/onnx-inference-runtime.js";
import type { RunReport } from "../../src/adapters/onnx/micro-batcher.js";
import type { InferenceRuntime, ModelSource, Tensors } from "../../src/ports/inference-runtime.js";
import type { TensorType, TensorValue } from "../../src/shared/tensor.js";
import {
  identity,
  linearModel,
  lookup,
  misdeclared,
  ModelFolder,
  perceptron,
  softmaxOverRows,
  squareSum,
} from "../support/onnx-models.js";
import { until } from "../support/until.js";

let folder: ModelFolder;
let runtime: InferenceRuntime;
let reports: RunReport[];

beforeAll(async () => {
  folder = await ModelFolder.create();
});
afterEach(() => runtime.close());
afterAll(() => folder.remove());

function start(settings: Partial<OnnxInferenceSettings> = {}): InferenceRuntime {
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

/** Every model is too slow for the calling thread. */
const inWorkers = { inlineBelowMs: 0 };
const inline = { inlineBelowMs: 50 };

function floats(shape: number[], data: readonly number[]): TensorValue {
  return { type: "FLOAT32", shape, data: Float32Array.from(data) };
}

const row = (...values: number[]): Tensors => ({ x: floats([1, 3], values) });

/** A call of the square-sum model: 2,000 take about half a second, 2 take microseconds. */
const square = (size: number): Tensors => ({
  x: floats([size, size], new Array<number>(size * size).fill(0.5)),
});

const numbersOf = (outputs: Tensors, name = "y"): number[] => Array.from(outputs[name]!.data as Float32Array);

describe.each([
  ["inline", inline],
  ["worker", inWorkers],
] as const)("placed %s", (placement, settings) => {
  test("answers with all outputs, or those asked for", async () => {
    const source = await folder.add("misdeclared", misdeclared());
    const model = await start(settings).warm(source);
    expect(model.placement).toBe(placement);
    const all = await runtime.run(source, row(0, 5, 7));
    expect(all["same"]).toEqual(floats([1, 3], [0, 5, 7]));
    expect(all["positions"]).toEqual({
      type: "INT64",
      shape: [2, 2],
      data: BigInt64Array.of(0n, 0n, 1n, 2n),
    });
    expect(Object.keys(await runtime.run(source, row(1, 2, 3), { outputs: ["positions"] }))).toEqual([
      "positions",
    ]);
    expect(reports.every((report) => report.placement === placement)).toBe(true);
  });

  test.each([
    ["FLOAT32", Float32Array.of(1.5, NaN, -Infinity, 0)],
    ["FLOAT64", Float64Array.of(0.1, 1e300, NaN, 0)],
    ["FLOAT16", Uint16Array.of(0x3c00, 0x7e00, 0xfc00, 1)],
    ["INT8", Int8Array.of(-128, 127, 0, 1)],
    ["INT16", Int16Array.of(-32_768, 32_767, 0, 1)],
    ["INT32", Int32Array.of(-(2 ** 31), 2 ** 31 - 1, 0, 1)],
    ["INT64", BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n, 0n, 1n)],
    ["UINT8", Uint8Array.of(255, 1, 0, 2)],
    ["UINT16", Uint16Array.of(65_535, 1, 0, 2)],
    ["UINT32", Uint32Array.of(2 ** 32 - 1, 1, 0, 2)],
    ["UINT64", BigUint64Array.of(2n ** 64n - 1n, 1n, 0n, 2n)],
    ["BOOL", Uint8Array.of(1, 0, 0, 1)],
    ["STRING", ["", "é", "contango", " "]],
  ] as [TensorType, TensorValue["data"]][])("carries %s, merged with other calls", async (type, data) => {
    const source = await folder.add(`identity-${type}`, identity(type));
    start(settings);
    const input: TensorValue = { type, shape: [2, 2], data };
    const other: TensorValue = { type, shape: [1, 2], data: data.slice(2) };
    await runtime.warm(source);
    const calls = [input, other, input].map((x) => runtime.run(source, { x }));
    expect((await Promise.all(calls)).map((outputs) => outputs["y"])).toEqual([input, other, input]);
    expect(input.data).toHaveLength(4);
    expect(reports).toHaveLength(1);
    expect(reports[0]).toMatchObject({ key: source.key, batchRows: 5, calls: 3 });
  });

  test("one call that the graph refuses does not fail those merged with it", async () => {
    const source = await folder.add("lookup", lookup());
    await start(settings).warm(source);
    const index = (i: number): Tensors => ({
      x: { type: "INT64", shape: [1], data: BigInt64Array.of(BigInt(i)) },
    });
    const [first, bad, last] = await Promise.allSettled([0, 99, 2].map((i) => runtime.run(source, index(i))));
    expect(first).toMatchObject({ status: "fulfilled", value: { y: { data: Float32Array.of(100) } } });
    expect(last).toMatchObject({ status: "fulfilled", value: { y: { data: Float32Array.of(300) } } });
    expect(bad).toMatchObject({ status: "rejected", reason: { code: "INVALID_INPUT" } });
    const { message } = (bad as PromiseRejectedResult).reason as Error;
    expect(message).toContain("Gather");
    expect(message).not.toMatch(/\.cc|onnxruntime_src|\/tmp/);
  });
});

describe("merging", () => {
  test("gives each of many concurrent calls what it would get alone", async () => {
    const source = await folder.add("perceptron", perceptron([3, 8, 2]));
    start({ maxBatch: 10 });
    const inputs = Array.from({ length: 25 }, (_, i) => row(i, -i, i / 7));
    expect(await runtime.warm(source)).toMatchObject({ mergesRows: true });
    const together = await Promise.all(inputs.map((x) => runtime.run(source, x)));
    expect(reports.map(({ batchRows }) => batchRows)).toEqual([10, 10, 5]);
    for (const [i, outputs] of together.entries()) {
      const alone = numbersOf(await runtime.run(source, inputs[i]!));
      numbersOf(outputs).forEach((value, k) => expect(value).toBeCloseTo(alone[k]!, 4));
      expect(outputs["y"]!.shape).toEqual([1, 2]);
    }
  });

  test("leaves a graph alone whose rows influence each other", async () => {
    const source = await folder.add("softmax", softmaxOverRows());
    expect(await start().warm(source)).toMatchObject({ mergesRows: false });
    const calls = await Promise.all([row(1, 2, 3), row(4, 5, 6)].map((x) => runtime.run(source, x)));
    expect(calls.map((outputs) => numbersOf(outputs))).toEqual([[1, 1, 1], [1, 1, 1]]); // prettier-ignore
    expect(reports).toHaveLength(2);
  });

  test("keeps calls apart that want other outputs", async () => {
    const source = await folder.add("misdeclared", misdeclared());
    await start().warm(source);
    await Promise.all([
      runtime.run(source, row(1, 2, 3), { outputs: ["same"] }),
      runtime.run(source, row(1, 2, 3), { outputs: ["positions"] }),
    ]);
    expect(reports).toHaveLength(2);
  });

  test("tops up a batch that waits for a thread", async () => {
    const [linear, slow] = [
      await folder.add("linear", linearModel()),
      await folder.add("square", squareSum()),
    ];
    start(inWorkers);
    await Promise.all([runtime.warm(linear), runtime.warm(slow)]);
    const blocker = runtime.run(slow, square(1000));
    const calls = [runtime.run(linear, row(1, 0, 0))];
    await new Promise(setImmediate);
    calls.push(runtime.run(linear, row(0, 1, 0)));
    expect((await Promise.all(calls)).map((outputs) => numbersOf(outputs))).toEqual([[11, 22], [13, 24]]); // prettier-ignore
    await blocker;
    expect(reports.filter(({ key }) => key === linear.key)).toMatchObject([{ calls: 2, batchRows: 2 }]);
  });
});

describe("placement", () => {
  test("a large call of a tiny model does not hold the calling thread", async () => {
    const source = await folder.add("square", squareSum());
    expect(await start().warm(source)).toMatchObject({ placement: "inline" });
    await Promise.all([runtime.run(source, square(2)), runtime.run(source, square(1000))]);
    expect(reports.map(({ placement }) => placement)).toEqual(["inline", "worker"]);
  });

  test("a heavy model runs in a thread", async () => {
    const source = await folder.add("heavy", perceptron([256, 1024, 1024, 1]));
    const model = await start({ inlineBelowMs: 0.05 }).warm(source);
    expect(model.placement).toBe("worker");
    expect(model.warmRunMs).toBeGreaterThan(0.05);
  });
});

describe("memory", () => {
  async function three(): Promise<[ModelSource, ModelSource, ModelSource]> {
    const add = async (name: string) => ({ ...(await folder.add(name, linearModel())), bytes: 1000 });
    return [await add("a"), await add("b"), await add("c")];
  }

  test.each([
    ["inline", inline],
    ["worker", inWorkers],
  ] as const)(
    // prettier-ignore
    "%s: forgets what was used longest ago, and loads it again when asked",
    async (_, settings) => {
      const [a, b, c] = await three();
      start({ ...settings, cacheBytes: 2000 });
      for (const source of [a, b, a, c]) await runtime.run(source, row(1, 1, 1));
      expect(runtime.stats()).toMatchObject({ loadedModels: 2, cachedBytes: 2000 });
      for (const source of [a, b, c])
        expect(numbersOf(await runtime.run(source, row(1, 0, 0)))).toEqual([11, 22]);
    },
  );

  test("unload waits for the runs under way", async () => {
    const source = await folder.add("square", squareSum());
    await start(inWorkers).warm(source);
    const order: string[] = [];
    const run = runtime.run(source, square(800)).then(() => order.push("run"));
    await new Promise(setImmediate);
    await runtime.unload(source.key).then(() => order.push("unload"));
    await run;
    expect(order).toEqual(["run", "unload"]);
    expect(runtime.stats()).toEqual({ loadedModels: 0, cachedBytes: 0, queued: 0, workers: 1 });
    expect(numbersOf(await runtime.run(source, square(2)), "sum")).toEqual([2]);
  });

  test("a model that local disk has dropped is brought back before it is opened", async () => {
    start();
    const ensure = () => folder.add("dropped", linearModel());
    const source = { key: "dropped", path: `${folder.path}/dropped.onnx`, bytes: 1, ensure };
    expect(numbersOf(await runtime.run(source, row(1, 0, 0)))).toEqual([11, 22]);
    await runtime.close();
    start(inWorkers);
    await runtime.warm(source);
    expect(numbersOf(await runtime.run(source, row(1, 0, 0)))).toEqual([11, 22]);
  });

  test("a model that is gone from the disk is UNAVAILABLE, and served once it is back", async () => {
    start();
    const source = { key: "late", path: `${folder.path}/late.onnx`, bytes: 1 };
    await expect(runtime.run(source, row(1, 1, 1))).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await folder.add("late", linearModel());
    expect(numbersOf(await runtime.run(source, row(1, 0, 0)))).toEqual([11, 22]);
  });
});

describe("load", () => {
  async function blocked(settings: Partial<OnnxInferenceSettings>) {
    const source = await folder.add("square", squareSum());
    start({ ...inWorkers, maxBatch: 1, ...settings });
    await runtime.warm(source);
    const blocker = runtime.run(source, square(1000));
    // One turn to collect it, one to hand it to the thread.
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    return { source, blocker };
  }

  test("turns calls away at once when too many wait", async () => {
    const { source, blocker } = await blocked({ queueLimit: 2 });
    const calls = [1, 2, 3].map(() => runtime.run(source, square(2)));
    expect(runtime.stats().queued).toBe(2);
    await expect(calls[2]).rejects.toMatchObject({ code: "OVERLOADED" });
    await Promise.all([blocker, calls[0], calls[1]]);
    expect(runtime.stats().queued).toBe(0);
  });

  test("a caller that goes away frees its place", async () => {
    const { source, blocker } = await blocked({ queueLimit: 1 });
    const leaving = new AbortController();
    const left = runtime.run(source, square(2), { signal: leaving.signal });
    await new Promise(setImmediate);
    leaving.abort(new Error("gone"));
    await expect(left).rejects.toThrow("gone");
    expect(runtime.stats().queued).toBe(0);
    expect(numbersOf(await runtime.run(source, square(2)), "sum")).toEqual([2]);
    await blocker;
    expect(reports).toHaveLength(2);
    await expect(runtime.run(source, square(2), { signal: leaving.signal })).rejects.toThrow("gone");
  });

  test("a caller may go away while the model loads or runs", async () => {
    const { source, blocker } = await blocked({});
    const other = await folder.add("linear", linearModel());
    const during = runtime.run(other, row(1, 1, 1), { signal: AbortSignal.timeout(1) });
    await expect(during).rejects.toMatchObject({ name: "TimeoutError" });
    await blocker;
    const running = runtime.run(source, square(1000), { signal: AbortSignal.timeout(5) });
    await expect(running).rejects.toMatchObject({ name: "TimeoutError" });
    expect(numbersOf(await runtime.run(source, square(2)), "sum")).toEqual([2]);
  });

  test("interactive calls overtake bulk ones", async () => {
    const { source, blocker } = await blocked({});
    const order: string[] = [];
    await Promise.all(
      (["bulk", "interactive"] as const).map((priority) =>
        runtime.run(source, square(2), { priority }).then(() => order.push(priority)),
      ),
    );
    await blocker;
    expect(order).toEqual(["interactive", "bulk"]);
  });

  test("a run beyond its time is TIMEOUT, and a fresh thread serves the next", async () => {
    const source = await folder.add("square", squareSum());
    await start({ ...inWorkers, runTimeoutMs: 250 }).warm(source);
    await expect(runtime.run(source, square(2500))).rejects.toMatchObject({ code: "TIMEOUT" });
    // The fresh thread shares the cores with the old one until that ends.
    const answers = () =>
      runtime.run(source, square(2)).then(
        (outputs) => numbersOf(outputs, "sum"),
        () => undefined,
      );
    let sum: number[] | undefined;
    await until(async () => (sum = await answers()) !== undefined, 60_000);
    expect(sum).toEqual([2]);
  });

  test("closing while a model loads leaves no thread behind", async () => {
    const source = await folder.add("linear", linearModel());
    const warming = start(inWorkers)
      .warm(source)
      .catch((error: unknown) => error);
    await runtime.close();
    expect(await warming).toMatchObject({ code: "UNAVAILABLE" });
  });

  test("after close nothing runs, and what waited is UNAVAILABLE", async () => {
    const { source, blocker } = await blocked({});
    const waiting = runtime.run(source, square(2));
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    const refused = expect(waiting).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await runtime.close();
    await refused;
    expect(numbersOf(await blocker, "sum")[0]).toBeGreaterThan(0);
    await expect(runtime.run(source, square(2))).rejects.toMatchObject({ code: "UNAVAILABLE" });
  });
});
