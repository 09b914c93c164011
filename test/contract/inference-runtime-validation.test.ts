import { writeFile } from "node:fs/promises";
import { createOnnxInferenceRuntime } from "../../src/adapters/onnx/onnx-inference-runtime.js";
import type { ValidationLimits } from "../../src/adapters/onnx/validator.js";
import type { InferenceRuntime } from "../../src/ports/inference-runtime.js";
import {
  endless,
  externalWeights,
  greedy,
  identity,
  linearModel,
  misdeclared,
  ModelFolder,
  sequenceOutput,
  shapelessInput,
  unknownOperator,
} from "../support/onnx-models.js";

let folder: ModelFolder;
let runtime: InferenceRuntime;

beforeAll(async () => {
  folder = await ModelFolder.create();
});
afterEach(() => runtime.close());
afterAll(() => folder.remove());

function start(limits: Partial<ValidationLimits> = {}): InferenceRuntime {
  const validation = { timeoutMs: 20_000, memoryBytes: 2 ** 30, ...limits };
  runtime = createOnnxInferenceRuntime({ cacheBytes: 1e9, queueLimit: 10, validation });
  return runtime;
}

test("reads the signature from the graph", async () => {
  const source = await folder.add("linear", linearModel());
  expect(await start().validate(source)).toEqual({
    ok: true,
    signature: {
      inputs: [{ name: "x", type: "FLOAT32", shape: [null, 3] }],
      outputs: [{ name: "y", type: "FLOAT32", shape: [null, 2] }],
    },
    trials: [],
  });
  const strings = await folder.add("strings", identity("STRING"));
  expect(await runtime.validate(strings)).toMatchObject({
    ok: true,
    signature: { inputs: [{ type: "STRING" }] },
  });
});

test("sizes of outputs that a run contradicts are dynamic", async () => {
  const validation = await start().validate(await folder.add("misdeclared", misdeclared()));
  expect(validation).toMatchObject({
    signature: {
      outputs: [
        { name: "same", shape: [null, 3] },
        { name: "positions", shape: [2, null] },
      ],
    },
  });
});

test.each([
  ["an empty file", new Uint8Array(0), "The file is not an ONNX model"],
  ["zeros", new Uint8Array(1000), "The file is not an ONNX model"],
  ["text", Buffer.from("date,1 Mo,2 Mo\n2024-01-02,5.55,5.54\n"), "The file is not an ONNX model"],
  ["a cut file", linearModel().subarray(0, 60), "The file is truncated"],
  [
    "a file without its last byte",
    linearModel().subarray(0, -1),
    "The file is truncated: 1 bytes are missing",
  ],
  ["an unknown operator", unknownOperator(), "Frobnicate"],
  ["a sequence", sequenceOutput(), '"parts" is a sequence; only dense tensors are served'],
  ["an input without dimensions", shapelessInput(), '"x" does not declare how many dimensions it has'],
  ["a missing file beside it", externalWeights("weights.bin"), 'needs the external data file "weights.bin"'],
  ["a file elsewhere", externalWeights("../../etc/hostname"), "must be a plain file name"],
])("rejects %s, and says why", async (name, bytes, reason) => {
  const source = await folder.add(name.replaceAll(" ", "-"), bytes);
  const validation = await start().validate(source);
  expect(validation).toMatchObject({ ok: false, rejection: expect.stringContaining(reason) });
  expect(JSON.stringify(validation)).not.toMatch(/\/tmp|onnxruntime_src/);
});

test("takes tensor data from the file that was uploaded with the graph", async () => {
  const source = await folder.add("external", externalWeights("external.bin"));
  await writeFile(`${folder.path}/external.bin`, Buffer.from(Float32Array.of(1, 2, 3, 4, 5, 6).buffer));
  expect(await start().validate(source)).toMatchObject({ ok: true });
  const x = { type: "FLOAT32" as const, shape: [1, 3], data: Float32Array.of(1, 0, 0) };
  expect((await runtime.run(source, { x }))["y"]!.data).toEqual(Float32Array.of(11, 22));
});

test("ends a graph that takes too much memory", async () => {
  const source = await folder.add("greedy", greedy(30_000, 10_000));
  const validation = await start({ memoryBytes: 400 * 2 ** 20 }).validate(source);
  expect(validation).toEqual({ ok: false, rejection: "The model took more than 400 MB to load and run" });
});

test("ends a graph that takes too long, while others are served", async () => {
  start({ timeoutMs: 2000 });
  const hostile = runtime.validate(await folder.add("endless", endless()));
  const linear = await folder.add("linear", linearModel());
  const x = { type: "FLOAT32" as const, shape: [1, 3], data: Float32Array.of(1, 0, 0) };
  expect((await runtime.run(linear, { x }))["y"]!.data).toEqual(Float32Array.of(11, 22));
  expect(await hostile).toEqual({ ok: false, rejection: "The model did not load and run within 2 s" });
  expect(await runtime.validate(linear)).toMatchObject({ ok: true });
});

test("a file that cannot be read is not its owner's fault", async () => {
  const missing = start().validate({ key: "gone", path: `${folder.path}/gone.onnx`, bytes: 1 });
  await expect(missing).rejects.toMatchObject({ code: "UNAVAILABLE" });
});
