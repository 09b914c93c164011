import { OnnxGraph, OnnxType } from "../../src/shared/onnx-graph.js";
import { identity, linearModel, lookup, squareSum } from "../support/onnx-models.js";
import { refusalOf, startPlatform } from "../support/platform.js";
import type { Answer, Platform } from "../support/platform.js";
import { promote, uploadVersion } from "../support/registry.js";

let platform: Platform;

beforeAll(async () => {
  platform = await startPlatform();
  await uploadVersion(platform, "linear", linearModel());
  await uploadVersion(platform, "linear", linearModel(), { parameters: [{ name: "second", value: "1" }] });
  await promote(platform, { model: "linear", number: 1 });
  await uploadVersion(platform, "square", squareSum());
  await uploadVersion(platform, "lookup", lookup());
  await uploadVersion(platform, "pair", sumAndProduct());
  await uploadVersion(platform, "long", identity("INT64"));
  await uploadVersion(platform, "unsigned", identity("UINT64"));
  await uploadVersion(platform, "text", identity("STRING"));
  await uploadVersion(platform, "flag", identity("BOOL"));
  await uploadVersion(platform, "byte", identity("UINT8"));
  await uploadVersion(platform, "half", identity("FLOAT16"));
  for (const model of ["square", "lookup", "pair", "long", "unsigned", "text", "flag", "byte", "half"]) {
    await promote(platform, { model, number: 1 });
  }
});

afterAll(() => platform.remove());

/** sum = a + b and product = a b, all FLOAT32 [2]. */
function sumAndProduct(): Uint8Array {
  const graph = new OnnxGraph("pair");
  graph.input("a", OnnxType.FLOAT32, [2]);
  graph.input("b", OnnxType.FLOAT32, [2]);
  graph.node("Add", ["a", "b"], {}, { outputs: ["sum"] });
  graph.node("Mul", ["a", "b"], {}, { outputs: ["product"] });
  graph.output("sum", OnnxType.FLOAT32, [2]);
  graph.output("product", OnnxType.FLOAT32, [2]);
  return graph.encode();
}

interface Tensor {
  name: string;
  type: string;
  shape: number[];
  values: unknown;
  base64: string | null;
}

interface Predicted {
  predict: { id: string; version: { number: number }; outputs: Tensor[]; at: string } | null;
}

function ask(input: Record<string, unknown>): Promise<Answer<Predicted>> {
  return platform.ask(
    `query Predict($input: PredictInput!) {
      predict(input: $input) { id at version { number } outputs { name type shape values base64 } }
    }`,
    { input: { model: "linear", ...input } },
  );
}

async function predict(input: Record<string, unknown>): Promise<NonNullable<Predicted["predict"]>> {
  const { data, errors } = await ask(input);
  if (errors) throw new Error(JSON.stringify(errors));
  return data!.predict!;
}

async function outputsOf(model: string, tensor: Record<string, unknown>): Promise<Tensor> {
  const [output] = (await predict({ model, inputs: [{ name: "x", ...tensor }] })).outputs;
  return output!;
}

function floats(...values: number[]): string {
  return Buffer.from(Float32Array.from(values).buffer).toString("base64");
}

const X = { name: "x", values: [[1, 0, 0]] };

describe("serves", () => {
  test("nested, flat and base64 values alike", async () => {
    const rows = [
      [1, 0, 0],
      [0, 0, 2],
    ];
    const expected = {
      name: "y",
      type: "FLOAT32",
      shape: [2, 2],
      values: [
        [11, 22],
        [20, 32],
      ],
      base64: null,
    };
    const spellings = [
      { values: rows },
      { values: rows, shape: [2, 3] },
      { values: rows.flat() },
      { values: rows.flat(), shape: [2, 3] },
      { base64: floats(...rows.flat()), shape: [2, 3] },
      { base64: floats(...rows.flat()) },
    ];
    for (const spelling of spellings) expect(await outputsOf("linear", spelling)).toEqual(expected);
  });

  test("base64 back, the same bits", async () => {
    const { outputs } = await predict({
      inputs: [{ name: "x", base64: floats(0.1, 0.2, 0.3) }],
      encoding: "BASE64",
    });
    expect(outputs[0]).toMatchObject({ name: "y", type: "FLOAT32", shape: [1, 2], values: null });
    const decoded = Buffer.from(outputs[0]!.base64!, "base64");
    expect([decoded.readFloatLE(0), decoded.readFloatLE(4)]).toEqual(
      [12.2, 22.8].map((value) => expect.closeTo(value, 5) as unknown),
    );
  });

  test("64-bit integers without loss", async () => {
    const values = [["9223372036854775807", "-9223372036854775808"]];
    expect(await outputsOf("long", { values })).toMatchObject({ type: "INT64", values });
    expect(await outputsOf("long", { values: [[1, "-2"]] })).toMatchObject({ values: [[1, -2]] });
    const unsigned = [["18446744073709551615", 0]];
    expect(await outputsOf("unsigned", { values: unsigned })).toMatchObject({ values: unsigned });
  });

  test("text, flags, bytes and half floats", async () => {
    const text = [["Henry Hub", "Grüße 👋"]];
    expect(await outputsOf("text", { values: text })).toMatchObject({ type: "STRING", values: text });
    expect(await outputsOf("flag", { values: [[true, false]] })).toMatchObject({ values: [[true, false]] });
    expect(await outputsOf("byte", { values: [[0, 255]] })).toMatchObject({ values: [[0, 255]] });
    expect(await outputsOf("half", { values: [[0.5, -2]] })).toMatchObject({ values: [[0.5, -2]] });
  });

  test("what is not finite as strings, both ways", async () => {
    const values = [["NaN", "Infinity"]];
    expect(await outputsOf("half", { values })).toMatchObject({ values });
    expect(await outputsOf("linear", { values: [[1, "-Infinity", 0]] })).toMatchObject({
      values: [["-Infinity", "-Infinity"]],
    });
  });

  test("several dynamic dimensions, scalars and empty batches", async () => {
    expect(
      await outputsOf("square", {
        values: [
          [1, 2],
          [3, 4],
        ],
      }),
    ).toMatchObject({ shape: [], values: 54 });
    expect(await outputsOf("lookup", { values: [2, 0] })).toMatchObject({ shape: [2], values: [300, 100] });
    expect(await outputsOf("linear", { values: [], shape: [0, 3] })).toMatchObject({
      shape: [0, 2],
      values: [],
    });
  });

  test("several outputs, or those that are asked for, in that order", async () => {
    const inputs = [
      { name: "b", values: [3, 4] },
      { name: "a", values: [1, 2] },
    ];
    const named = async (outputs?: string[] | null) =>
      (await predict({ model: "pair", inputs, outputs })).outputs.map(({ name, values }) => [name, values]);
    expect(await named()).toEqual([
      ["sum", [4, 6]],
      ["product", [3, 8]],
    ]);
    expect(await named(["product"])).toEqual([["product", [3, 8]]]);
    expect(await named(["product", "sum"])).toEqual([
      ["product", [3, 8]],
      ["sum", [4, 6]],
    ]);
  });

  test("the version that is asked for: a number wins over a stage", async () => {
    const versionFor = async (version: unknown) => (await predict({ inputs: [X], version })).version.number;
    await promote(platform, { model: "linear", number: 2, stage: "STAGING" });
    expect(await versionFor(undefined)).toBe(1);
    expect(await versionFor({ stage: "STAGING" })).toBe(2);
    expect(await versionFor({ number: 2, stage: "PRODUCTION" })).toBe(2);
    expect(await versionFor({ number: 1, stage: "STAGING" })).toBe(1);
  });

  test("explicit nulls like absent arguments", async () => {
    const nulls = { version: null, outputs: null, encoding: null };
    const inputs = [{ ...X, shape: null, base64: null }];
    const { outputs, version } = await predict({ ...nulls, inputs });
    expect(version.number).toBe(1);
    expect(outputs[0]!.values).toEqual([[11, 22]]);
    expect((await predict({ inputs, version: { number: null, stage: null } })).version.number).toBe(1);
  });

  test("many callers at once, each its own rows", async () => {
    const rows = Array.from({ length: 64 }, (_, i) => [i, 0, 0]);
    const outputs = await Promise.all(rows.map((row) => outputsOf("linear", { values: [row] })));
    expect(outputs.map(({ values }) => values)).toEqual(rows.map(([i]) => [[i! + 10, 2 * i! + 20]]));
  });
});

describe("refuses, by code and field:", () => {
  test.each<[string, Record<string, unknown>, string]>([
    ["an unknown model", { model: "absent", inputs: [X] }, "NOT_FOUND input.model"],
    ["an unknown version", { version: { number: 9 }, inputs: [X] }, "NOT_FOUND input.version"],
    ["a stage that is empty", { version: { stage: "ARCHIVED" }, inputs: [X] }, "NOT_FOUND input.version"],
    ["an unknown stage", { version: { stage: "LIVE" }, inputs: [X] }, "INVALID_INPUT input.version.stage"],
    ["an unknown input", { inputs: [X, { name: "z", values: [1] }] }, "INVALID_INPUT input.inputs.1.name"],
    ["a missing input", { inputs: [] }, "INVALID_INPUT input.inputs"],
    ["no inputs at all", {}, "INVALID_INPUT input.inputs"],
    ["an input twice", { inputs: [X, X] }, "INVALID_INPUT input.inputs.1.name"],
    ["a nameless input", { inputs: [{ values: [[1, 2, 3]] }] }, "INVALID_INPUT input.inputs.0.name"],
    ["an unknown output", { inputs: [X], outputs: ["y", "z"] }, "INVALID_INPUT input.outputs.1"],
    ["an output twice", { inputs: [X], outputs: ["y", "y"] }, "INVALID_INPUT input.outputs.1"],
    ["no outputs", { inputs: [X], outputs: [] }, "INVALID_INPUT input.outputs"],
    ["an unknown encoding", { inputs: [X], encoding: "HEX" }, "INVALID_INPUT input.encoding"],
    ["an unknown argument", { inputs: [X], batch: 3 }, "INVALID_INPUT input.batch"],
  ])("%s", async (_what, input, refusal) => {
    expect(refusalOf(await ask(input))).toBe(refusal);
  });

  test.each<[string, string, Record<string, unknown>, string]>([
    ["text for a number", "linear", { values: [[1, "two", 3]] }, "values"],
    ["true for a number", "linear", { values: [[1, true, 3]] }, "values"],
    ["null for a number", "linear", { values: [[1, null, 3]] }, "values"],
    ["an object", "linear", { values: { rows: [] } }, "values"],
    ["a fraction as integer", "long", { values: [[0.5, 1]] }, "values"],
    ["NaN as integer", "long", { values: [["NaN", 1]] }, "values"],
    ["an integer that JSON may have rounded", "long", { values: [[9007199254740993, 1]] }, "values"],
    ["an integer beyond 64 bits", "long", { values: [["9223372036854775808", 1]] }, "values"],
    ["a negative unsigned", "unsigned", { values: [["-1", 1]] }, "values"],
    ["a byte of 256", "byte", { values: [[256, 0]] }, "values"],
    ["a number beyond the type's range", "half", { values: [[70000, 0]] }, "values"],
    ["a number for a flag", "flag", { values: [[1, 0]] }, "values"],
    ["a number for text", "text", { values: [[1, "a"]] }, "values"],
    ["text with U+0000", "text", { values: [["a\u0000b", "a"]] }, "values.0.0"],
    ["text as base64", "text", { base64: "AAAA", shape: [1, 2] }, "base64"],
    ["a wrong width", "linear", { values: [[1, 2]] }, "values"],
    ["a wrong rank", "linear", { values: [[[1, 2, 3]]] }, "values"],
    [
      "ragged rows",
      "linear",
      {
        values: [
          [1, 2, 3],
          [1, 2],
        ],
      },
      "values",
    ],
    ["a flat list that fills no rows", "linear", { values: [1, 2, 3, 4] }, "values"],
    ["a shape of another rank", "linear", { values: [1, 2, 3], shape: [3] }, "shape"],
    ["a shape of another width", "linear", { values: [1, 2], shape: [1, 2] }, "shape"],
    ["a shape of another size", "linear", { values: [1, 2, 3], shape: [2, 3] }, "shape"],
    ["a negative size", "linear", { values: [1, 2, 3], shape: [-1, 3] }, "shape.0"],
    ["a shape that the nesting contradicts", "square", { values: [[1, 2]], shape: [2, 1] }, "shape"],
    ["a shape left open", "square", { values: [1, 2, 3, 4] }, "shape"],
    ["values and base64", "linear", { values: [[1, 2, 3]], base64: floats(1, 2, 3) }, ""],
    ["neither values nor base64", "linear", {}, ""],
    ["base64 of a wrong length", "linear", { base64: floats(1, 2), shape: [1, 3] }, "base64"],
    ["base64 of half an element", "linear", { base64: Buffer.alloc(13).toString("base64") }, "base64"],
    ["what is not base64", "linear", { base64: "*not base64*" }, "base64"],
    ["a shape of 2^31 rows", "linear", { base64: floats(1, 2, 3), shape: [2147483647, 3] }, "base64"],
  ])("%s", async (_what, model, tensor, where) => {
    const answer = await ask({ model, inputs: [{ name: "x", ...tensor }] });
    expect(refusalOf(answer)).toBe(["INVALID_INPUT input.inputs.0", where].filter(Boolean).join("."));
  });

  test("a shape that is no Int", async () => {
    const answer = await ask({ inputs: [{ ...X, shape: [2 ** 40, 3] }] });
    expect(refusalOf(answer)).toBe("INVALID_INPUT input.inputs.0.shape.0");
  });

  test("a batch of 10^6 rows, by its rows or by its bytes", async () => {
    const zeros = new Array<number>(1_000_000).fill(0);
    expect(refusalOf(await ask({ model: "lookup", inputs: [{ name: "x", values: zeros }] }))).toBe(
      "INVALID_INPUT input.inputs.0.values",
    );
    expect(refusalOf(await ask({ inputs: [{ name: "x", values: zeros.map(() => [0, 0, 0]) }] }))).toBe(
      "TOO_LARGE",
    );
    expect(refusalOf(await ask({ inputs: [{ name: "x", base64: "A".repeat(16_000_000) }] }))).toBe(
      "TOO_LARGE",
    );
    expect((await predict({ inputs: [X] })).version.number).toBe(1);
  });

  test("what only running the graph can tell", async () => {
    const answer = await ask({ model: "lookup", inputs: [{ name: "x", values: [7] }] });
    expect(refusalOf(answer)).toMatch(/^INVALID_INPUT/);
    const notSquare = await ask({ model: "square", inputs: [{ name: "x", values: [[1, 2]] }] });
    expect(refusalOf(notSquare)).toMatch(/^INVALID_INPUT/);
  });

  test("one alias without failing the other", async () => {
    const { data, errors } = await platform.ask<Record<string, unknown>>(
      `{ good: predict(input: { model: "linear", inputs: [{ name: "x", values: [[1, 0, 0]] }] }) { outputs { values } }
         bad: predict(input: { model: "linear", inputs: [] }) { id } }`,
    );
    expect(data).toEqual({ good: { outputs: [{ values: [[11, 22]] }] }, bad: null });
    expect(errors).toHaveLength(1);
    expect(errors![0]).toMatchObject({ path: ["bad"], extensions: { code: "INVALID_INPUT" } });
  });

  test("documents that are none", async () => {
    for (const query of ["", "{", "{ nothing }", "query A { me { subject } } query B { me { subject } }"]) {
      expect(refusalOf(await platform.ask(query))).toMatch(/^INVALID_INPUT/);
    }
  });
});

describe("a prediction", () => {
  const FIND = `query Find($id: ID!) { node(id: $id) { id ... on Prediction {
    at version { number } outputs { name type shape values base64 }
  } } }`;

  test("is found again by its id, at once and after a restart", async () => {
    const made = await predict({ inputs: [{ name: "x", values: [[1, "NaN", 3]] }] });
    const exact = await predict({ inputs: [X], encoding: "BASE64" });
    const find = async (id: string) => (await platform.query<{ node: object }>(FIND, { id })).node;
    expect(await find(made.id)).toEqual(made);
    const { dataDir } = platform;
    expect(await platform.stop()).toBe(0);
    platform = await startPlatform({ dataDir });
    expect(await find(made.id)).toEqual(made);
    expect(await find(exact.id)).toEqual(exact);
    expect((await predict({ inputs: [X] })).outputs[0]!.values).toEqual([[11, 22]]);
  });

  test("too big to keep is found without its outputs", async () => {
    const rows = Array.from({ length: 10_000 }, (_, i) => [i, 1, 2]);
    const { id, outputs } = await predict({ inputs: [{ name: "x", values: rows }] });
    expect(outputs[0]!.shape).toEqual([10_000, 2]);
    expect((await platform.query<{ node: object }>(FIND, { id })).node).toMatchObject({ id, outputs: null });
  });

  test.each(["", "nonsense", Buffer.from("Prediction:1").toString("base64url"), "UHJlZGljdGlvbjo="])(
    "is not found by %j",
    async (id) => {
      expect(await platform.query(FIND, { id })).toEqual({ node: null });
    },
  );
});
