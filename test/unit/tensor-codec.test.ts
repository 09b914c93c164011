import {
  decodeInputs,
  decodeTensor,
  encodeTensor,
  checkOutputs,
} from "../../src/modules/predictions/tensor-codec.rules.js";
import type { TensorInput } from "../../src/modules/predictions/tensor-codec.rules.js";
import { PlatformError } from "../../src/shared/errors.js";
import { halfToNumber, numberToHalf } from "../../src/shared/half-float.js";
import type { TensorSpec, TensorType, TensorValue } from "../../src/shared/tensor.js";

function spec(type: TensorType, shape: (number | null)[]): TensorSpec {
  return { name: "x", type, shape };
}

function decode(type: TensorType, shape: (number | null)[], input: Omit<TensorInput, "name">): TensorValue {
  return decodeTensor(spec(type, shape), { name: "x", ...input }, "input.inputs.0");
}

function failure(attempt: () => unknown): { code: string; field: string | undefined; message: string } {
  try {
    attempt();
  } catch (error) {
    if (error instanceof PlatformError) return error as never;
    throw error;
  }
  throw new Error("nothing was refused");
}

const bytesOf = (data: ArrayBufferView) =>
  Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64");

describe("shapes", () => {
  test("nested values tell their own shape", () => {
    const { shape, data } = decode("FLOAT32", [null, null, 2], {
      values: [
        [
          [1, 2],
          [3, 4],
          [5, 6],
        ],
      ],
    });
    expect(shape).toEqual([1, 3, 2]);
    expect([...data]).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test("flat values and bytes take the only shape that the signature allows", () => {
    expect(decode("FLOAT32", [null, 3], { values: [1, 2, 3, 4, 5, 6] }).shape).toEqual([2, 3]);
    expect(decode("FLOAT32", [null, 3], { base64: bytesOf(new Float32Array(3)) }).shape).toEqual([1, 3]);
    expect(decode("INT32", [], { values: 7 })).toEqual({ type: "INT32", shape: [], data: Int32Array.of(7) });
    expect(decode("INT32", [], { values: [7] }).shape).toEqual([]);
    expect(decode("FLOAT32", [null, 3], { values: [] }).shape).toEqual([0, 3]);
  });

  test("a written shape decides over flat values", () => {
    expect(decode("FLOAT32", [null, null], { values: [1, 2, 3, 4, 5, 6], shape: [3, 2] }).shape).toEqual([
      3, 2,
    ]);
    expect(decode("FLOAT32", [0], { values: [], shape: [0] }).shape).toEqual([0]);
  });

  test.each([
    [
      "two open sizes and flat values",
      [null, null],
      { values: [1, 2] },
      "input.inputs.0.shape",
      "2 sizes open",
    ],
    [
      "a size that the graph fixes",
      [null, 3],
      { values: [1, 2], shape: [1, 2] },
      "input.inputs.0.shape",
      "[?, 3]",
    ],
    ["another rank", [null, 3], { values: [1, 2, 3], shape: [3] }, "input.inputs.0.shape", "rank 1"],
    [
      "another nesting than written",
      [2, 2],
      { values: [[1], [2], [3], [4]], shape: [2, 2] },
      "input.inputs.0.shape",
      "nested as [4, 1]",
    ],
    [
      "too few elements",
      [null, 3],
      { values: [1, 2, 3], shape: [2, 3] },
      "input.inputs.0.shape",
      "holds 6 elements, but 3",
    ],
    [
      "no multiple of a row",
      [null, 3],
      { values: [1, 2, 3, 4] },
      "input.inputs.0.values",
      "no multiple of 3",
    ],
    ["nesting of another rank", [null, 3], { values: [[[1, 2, 3]]] }, "input.inputs.0.values", "rank 3"],
    ["a negative size", [null, 3], { values: [1], shape: [-1, 3] }, "input.inputs.0.shape.0", "at least 0"],
    ["ragged rows", [null, 2], { values: [[1, 2], [3]] }, "input.inputs.0.values", "ragged"],
    [
      "a list where a number belongs",
      [null, 2],
      { values: [[1, [2]]] },
      "input.inputs.0.values",
      "[0, 1] must be a number",
    ],
    [
      "bottomless nesting",
      [null, 2],
      { values: JSON.parse("[".repeat(5000) + "]".repeat(5000)) },
      "input.inputs.0.values",
      "rank 32",
    ],
    ["an object", [1], { values: { a: 1 } }, "input.inputs.0.values", "must be a number"],
    ["both", [1], { values: [1], base64: "AAAAAA==" }, "input.inputs.0", "not both"],
    ["neither", [1], { values: null }, "input.inputs.0", "not neither"],
  ] as [string, (number | null)[], Omit<TensorInput, "name">, string, string][])(
    "refuses %s",
    (_, shape, input, field, rule) => {
      const refusal = failure(() => decode("FLOAT32", shape, input));
      expect(refusal).toMatchObject({ code: "INVALID_INPUT", field });
      expect(refusal.message).toContain(rule);
      expect(refusal.message.length).toBeLessThan(300);
    },
  );

  test("refuses more rows or elements than the limits, before it reads them", () => {
    const rows = { name: "x", values: new Array(1_000_000).fill(0) };
    const refusal = failure(() => decodeTensor(spec("FLOAT32", [null, 1]), rows, "input.inputs.0"));
    expect(refusal.message).toContain("1000000 rows, at most 100000");
    const tight = { elements: 5, rows: 5 };
    expect(
      failure(() => decodeTensor(spec("FLOAT32", [6]), { name: "x", values: [1, 2, 3, 4, 5, 6] }, "t", tight))
        .field,
    ).toBe("t.values");
    expect(
      failure(() => decodeTensor(spec("INT8", [6]), { name: "x", base64: "AAAAAAAA" }, "t", tight)).field,
    ).toBe("t.base64");
  });
});

describe("elements", () => {
  test.each([
    ["FLOAT32", ["1.5"], "must be a number"],
    ["FLOAT32", ["constructor"], "must be a number"],
    ["FLOAT32", [null], "not null"],
    ["FLOAT32", [1e300], "beyond the range of FLOAT32"],
    ["FLOAT16", [65_520], "beyond the range of FLOAT16"],
    ["FLOAT64", [true], "not true"],
    ["INT8", [128], "from -128 to 127"],
    ["UINT8", [-1], "from 0 to 255"],
    ["INT16", [1.5], "not 1.5"],
    ["UINT16", [65_536], "from 0 to 65535"],
    ["INT32", ["1"], 'not "1"'],
    ["UINT32", [2 ** 32], "4294967295"],
    ["INT64", [2 ** 53], "write it as a string"],
    ["INT64", ["9223372036854775808"], "9223372036854775807"],
    ["INT64", ["1e3"], "as a number or a string"],
    ["INT64", [0.5], "as a number or a string"],
    ["UINT64", ["-1"], "from 0"],
    ["BOOL", [1], "true or false"],
    ["STRING", [1], "must be a string"],
  ] as [TensorType, unknown[], string][])("%s refuses %j", (type, values, rule) => {
    const refusal = failure(() => decode(type, [1], { values }));
    expect(refusal).toMatchObject({ code: "INVALID_INPUT", field: "input.inputs.0.values" });
    expect(refusal.message).toContain(rule);
    expect(refusal.message).toContain("element [0]");
  });

  test("names the position of the element", () => {
    expect(failure(() => decode("INT32", [2, 3], { values: [1, 2, 3, 4, 5, "6"] })).message).toContain(
      "element [1, 2]",
    );
  });

  test.each([
    [
      "FLOAT32",
      [
        [1.5, "NaN"],
        ["Infinity", "-Infinity"],
      ],
    ],
    ["FLOAT64", [[0.1, -1e300]]],
    ["FLOAT16", [[0.5, 65_504, "NaN", "-Infinity"]]],
    ["INT8", [[-128, 127]]],
    ["UINT16", [[0, 65_535]]],
    [
      "INT64",
      [
        [1, "9223372036854775807"],
        [-2, "-9223372036854775808"],
      ],
    ],
    ["UINT64", [["18446744073709551615", 9_007_199_254_740_991]]],
    ["BOOL", [[true, false]]],
    ["STRING", [["", "é", "NaN"]]],
  ] as [TensorType, unknown[][]][])("%s values come back as they went in", (type, values) => {
    const tensor = decode(type, [null, null], { values });
    expect(encodeTensor("x", tensor, "VALUES")).toEqual({
      name: "x",
      type,
      shape: tensor.shape,
      values,
      base64: null,
    });
    if (type === "STRING") return;
    const { base64 } = encodeTensor("x", tensor, "BASE64");
    expect(decode(type, [null, null], { base64, shape: tensor.shape })).toEqual(tensor);
  });

  test("a scalar is a bare value and an empty tensor keeps its axes", () => {
    expect(encodeTensor("y", { type: "FLOAT32", shape: [], data: Float32Array.of(2) }, "VALUES").values).toBe(
      2,
    );
    expect(
      encodeTensor("y", { type: "FLOAT32", shape: [2, 0], data: new Float32Array(0) }, "VALUES").values,
    ).toEqual([[], []]);
    expect(
      encodeTensor("y", { type: "FLOAT32", shape: [0, 2], data: new Float32Array(0) }, "VALUES").values,
    ).toEqual([]);
  });

  test("every half-precision number survives the way through numbers", () => {
    const changed: number[] = [];
    for (let bits = 0; bits < 0x10000; bits++) {
      const value = halfToNumber(bits);
      if (!Number.isNaN(value) && numberToHalf(value) !== bits) changed.push(bits);
    }
    expect(changed).toEqual([]);
    expect(numberToHalf(2049)).toBe(numberToHalf(2048));
    expect(numberToHalf(2051)).toBe(numberToHalf(2052));
    expect(numberToHalf(65_519)).toBe(numberToHalf(65_504));
    expect(halfToNumber(numberToHalf(2 ** -25))).toBe(0);
  });
});

describe("bytes", () => {
  test.each([
    [
      "a wrong length for a fixed shape",
      [2, 2],
      { base64: bytesOf(new Float32Array(3)) },
      "12 bytes, but the shape [2, 2] needs 16",
    ],
    [
      "a wrong length for a written shape",
      [null, 2],
      { base64: bytesOf(new Float32Array(3)), shape: [2, 2] },
      "needs 16",
    ],
    ["part of an element", [null], { base64: "AAAAAAA=" }, "5 bytes, which is no multiple of the 4"],
    ["other letters", [1], { base64: "AA*AAA==" }, "is not base64"],
    ["a missing end", [1], { base64: "AAAAA" }, "is not base64"],
  ] as [string, (number | null)[], Omit<TensorInput, "name">, string][])(
    "refuse %s",
    (_, shape, input, rule) => {
      const refusal = failure(() => decode("FLOAT32", shape, input));
      expect(refusal.field).toBe("input.inputs.0.base64");
      expect(refusal.message).toContain(rule);
    },
  );

  test("are refused for strings, and for flags that are neither 0 nor 1", () => {
    expect(failure(() => decode("STRING", [1], { base64: "AAAA" })).message).toContain("given by values");
    expect(failure(() => decode("BOOL", [3], { base64: "AQAC" })).message).toContain("byte 2 is 2");
  });

  test("of a view of a larger buffer are only the view's", () => {
    const view = Float32Array.of(1, 2, 3, 4).subarray(1, 3);
    const { base64 } = encodeTensor("y", { type: "FLOAT32", shape: [2], data: view }, "BASE64");
    expect(base64).toBe(bytesOf(Float32Array.of(2, 3)));
  });
});

describe("names", () => {
  const signature = {
    inputs: [spec("FLOAT32", [1]), { ...spec("INT32", [1]), name: "n" }],
    outputs: [spec("FLOAT32", [1]), { ...spec("FLOAT32", [1]), name: "y" }],
  };
  const x = { name: "x", values: [1] };
  const n = { name: "n", values: [2] };

  test("every input once, in any order", () => {
    expect(Object.keys(decodeInputs(signature, [n, x], "input.inputs"))).toEqual(["n", "x"]);
  });

  test.each([
    ["a missing one", [x], "input.inputs", 'missing "n"'],
    [
      "an unknown one",
      [x, n, { name: "z", values: [1] }],
      "input.inputs.2.name",
      'no input "z"; it has "x", "n"',
    ],
    ["one given twice", [x, n, x], "input.inputs.2.name", "more than once"],
    [
      "a wrong one by its place",
      [x, { name: "n", values: [0.5] }],
      "input.inputs.1.values",
      "must be an integer",
    ],
  ])("refuses %s", (_, inputs, field, rule) => {
    const refusal = failure(() => decodeInputs(signature, inputs, "input.inputs"));
    expect(refusal.field).toBe(field);
    expect(refusal.message).toContain(rule);
  });

  test("outputs are all by default, or those that exist, each once", () => {
    expect(checkOutputs(signature, null, "input.outputs")).toBeUndefined();
    expect(checkOutputs(signature, ["y"], "input.outputs")).toEqual(["y"]);
    expect(failure(() => checkOutputs(signature, ["y", "q"], "input.outputs")).field).toBe("input.outputs.1");
    expect(failure(() => checkOutputs(signature, ["y", "y"], "input.outputs")).field).toBe("input.outputs.1");
    expect(failure(() => checkOutputs(signature, [], "input.outputs")).field).toBe("input.outputs");
  });
});
