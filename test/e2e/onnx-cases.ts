import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { decodeTensor, encodeTensor } from "../../src/modules/predictions/tensor-codec.rules.js";
import type { EncodedTensor, TensorInput } from "../../src/modules/predictions/tensor-codec.rules.js";
import { halfToNumber } from "../../src/shared/half-float.js";
import type { TensorSpec, TensorValue } from "../../src/shared/tensor.js";
import { readTensorProto } from "../support/tensor-proto.js";

// Registers every ONNX case of a folder with a running platform, predicts in both encodings and compares.
// node dist/test/e2e/onnx-cases.js --cases DIR [--url http://127.0.0.1:4000] [--token TOKEN]

interface Case {
  case: string;
  /** "pass", or how the case may fail. */
  expect: string;
}

interface NamedTensor {
  name: string;
  value: TensorValue;
}

interface Version {
  number: number;
  status: "PENDING" | "READY" | "REJECTED";
  rejection: string | null;
  signature: { inputs: TensorSpec[]; outputs: TensorSpec[] } | null;
}

const { values: options } = parseArgs({
  options: {
    cases: { type: "string" },
    url: { type: "string", default: "http://127.0.0.1:4000" },
    token: { type: "string" },
  },
});
const authorization: Record<string, string> = options.token
  ? { authorization: `Bearer ${options.token}` }
  : {};
const run = Date.now().toString(36);
const validationMs = 60_000;

async function graph<T>(query: string, variables: Record<string, unknown>): Promise<T> {
  const response = await fetch(new URL("/graphql", options.url), {
    method: "POST",
    headers: { "content-type": "application/json", ...authorization },
    body: JSON.stringify({ query, variables }),
  });
  const body = (await response.json()) as { data?: T; errors?: { message: string }[] };
  if (body.errors?.length) throw new Error(body.errors.map(({ message }) => message).join("; "));
  return body.data!;
}

const versionFields = `number status rejection
  signature { inputs { name type shape } outputs { name type shape } }`;

/** Uploads the graph as the first version of a new model and waits for the verdict on it. */
async function register(model: string, bytes: Uint8Array<ArrayBuffer>): Promise<Version> {
  await graph("mutation($input: RegisterModelInput!) { registerModel(input: $input) { model { id } } }", {
    input: { name: model, kind: "TENSOR" },
  });
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const { createModelVersion } = await graph<{
    createModelVersion: {
      version: { number: number };
      upload: { method: string; url: string; headers: { name: string; value: string }[] };
    };
  }>(
    `mutation($input: CreateModelVersionInput!) { createModelVersion(input: $input) {
      version { number } upload { method url headers { name value } } } }`,
    { input: { model, sha256, bytes: String(bytes.byteLength) } },
  );
  const { upload, version } = createModelVersion;
  const headers = Object.fromEntries(upload.headers.map(({ name, value }) => [name, value]));
  const target = new URL(upload.url, options.url);
  const put = await fetch(target, {
    method: upload.method,
    headers: { ...authorization, ...headers },
    body: bytes,
  });
  if (!put.ok) throw new Error(`the upload answered ${put.status}: ${await put.text()}`);
  return completed(model, version.number);
}

async function completed(model: string, number: number): Promise<Version> {
  const { completeModelVersion } = await graph<{ completeModelVersion: { version: Version } }>(
    `mutation($input: CompleteModelVersionInput!) { completeModelVersion(input: $input) {
      version { ${versionFields} } } }`,
    { input: { model, number } },
  );
  let { version } = completeModelVersion;
  const until = Date.now() + validationMs;
  while (version.status === "PENDING") {
    if (Date.now() > until) throw new Error("validation did not end");
    await new Promise((resolve) => setTimeout(resolve, 100));
    const found = await graph<{ model: { version: Version } }>(
      `query($model: String!, $number: Int!) { model(name: $model) { version(number: $number) { ${versionFields} } } }`,
      { model, number },
    );
    version = found.model.version;
  }
  return version;
}

async function predict(
  model: string,
  number: number,
  inputs: NamedTensor[],
  encoding: "VALUES" | "BASE64",
): Promise<EncodedTensor[]> {
  const { predict: prediction } = await graph<{ predict: { outputs: EncodedTensor[] } }>(
    "query($input: PredictInput!) { predict(input: $input) { outputs { name type shape values base64 } } }",
    {
      input: {
        model,
        version: { number },
        encoding,
        inputs: inputs.map((input) => encoded(input, encoding)),
      },
    },
  );
  return prediction.outputs;
}

function encoded({ name, value }: NamedTensor, encoding: "VALUES" | "BASE64"): TensorInput {
  const { shape, values, base64 } = encodeTensor(name, value, encoding);
  return { name, shape, values, base64 };
}

async function tensors(folder: string, role: "input" | "output"): Promise<NamedTensor[]> {
  const files = (await readdir(folder)).filter((file) => file.startsWith(`${role}_`));
  files.sort((a, b) => parseInt(a.slice(role.length + 1)) - parseInt(b.slice(role.length + 1)));
  return Promise.all(files.map(async (file) => readTensorProto(await readFile(join(folder, file)))));
}

/** @returns what is wrong, or undefined */
function difference(actual: EncodedTensor | undefined, expected: TensorValue): string | undefined {
  if (!actual) return "is missing";
  if (actual.type !== expected.type) return `is ${actual.type}, not ${expected.type}`;
  if (actual.shape.join() !== expected.shape.join()) return `is [${actual.shape}], not [${expected.shape}]`;
  const { data } = decodeTensor(
    { name: actual.name, type: actual.type, shape: actual.shape },
    actual,
    actual.name,
  );
  for (let i = 0; i < expected.data.length; i++) {
    if (!close(data[i]!, expected.data[i]!, expected.type))
      return `element ${i} is ${data[i]}, not ${expected.data[i]}`;
  }
  return undefined;
}

/** The tolerance of the ONNX backend tests for floats, equality for the rest. */
function close(actual: unknown, expected: unknown, type: string): boolean {
  if (Object.is(actual, expected) || actual === expected) return true;
  if (!type.startsWith("FLOAT")) return false;
  const [a, b] = [actual, expected].map((value) =>
    type === "FLOAT16" ? halfToNumber(value as number) : (value as number),
  );
  return Math.abs(a! - b!) <= 1e-7 + 1e-3 * Math.abs(b!);
}

/** @throws when a case that must pass does not */
async function check({ case: name, expect }: Case, folder: string): Promise<string> {
  const model = `${name
    .toLowerCase()
    .replace(/[^a-z0-9_-]/g, "-")
    .slice(0, 50)}-${run}`;
  const version = await register(model, Uint8Array.from(await readFile(join(folder, "model.onnx"))));
  if (version.status === "REJECTED") {
    const refusal = `refused: ${version.rejection}`;
    if (expect === "pass" || !version.rejection) throw new Error(refusal);
    return refusal;
  }
  if (expect !== "pass" && !expect.startsWith("served")) throw new Error(`was served; expected: ${expect}`);
  const data = join(folder, "test_data_set_0");
  const { inputs: specs, outputs: outputSpecs } = version.signature!;
  const inputs = (await tensors(data, "input")).map(({ value }, i) => ({ name: specs[i]!.name, value }));
  const expected = await tensors(data, "output");
  for (const encoding of ["VALUES", "BASE64"] as const) {
    const outputs = await predict(model, version.number, inputs, encoding);
    for (const [i, { value }] of expected.entries()) {
      const { name: output } = outputSpecs[i]!;
      const wrong = difference(
        outputs.find((tensor) => tensor.name === output),
        value,
      );
      if (wrong) throw new Error(`${encoding}: ${output} ${wrong}`);
    }
  }
  return "served, outputs equal in both encodings";
}

async function main(): Promise<number> {
  if (!options.cases) {
    console.error("usage: node dist/test/e2e/onnx-cases.js --cases DIR [--url URL] [--token TOKEN]");
    return 2;
  }
  const cases = JSON.parse(await readFile(join(options.cases, "index.json"), "utf8")) as Case[];
  const width = Math.max(...cases.map(({ case: name }) => name.length));
  let failed = 0;
  for (const one of cases) {
    const name = one.case.padEnd(width);
    try {
      console.log(`ok    ${name}  ${await check(one, join(options.cases, one.case))}`);
    } catch (error) {
      failed++;
      console.log(`FAIL  ${name}  ${(error as Error).message}`);
    }
  }
  console.log(`${cases.length - failed} passed, ${failed} failed`);
  return failed > 0 ? 1 : 0;
}

process.exitCode = await main();
