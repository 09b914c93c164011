import { InvalidInputError } from "../../shared/errors.js";
import { halfToNumber, numberToHalf } from "../../shared/half-float.js";
import { elementCount, numericBuffer } from "../../shared/tensor.js";
import type { NumericType, TensorBuffer, TensorType, TensorValue } from "../../shared/tensor.js";

const nonFinite = new Map([
  ["NaN", NaN],
  ["Infinity", Infinity],
  ["-Infinity", -Infinity],
]);

const integerRange: Partial<Record<TensorType, readonly [number, number]>> = {
  INT8: [-(2 ** 7), 2 ** 7 - 1],
  INT16: [-(2 ** 15), 2 ** 15 - 1],
  INT32: [-(2 ** 31), 2 ** 31 - 1],
  UINT8: [0, 2 ** 8 - 1],
  UINT16: [0, 2 ** 16 - 1],
  UINT32: [0, 2 ** 32 - 1],
};

const longRange = {
  INT64: [-(2n ** 63n), 2n ** 63n - 1n],
  UINT64: [0n, 2n ** 64n - 1n],
} as const;

/** Decimal digits of the longest 64-bit integer, and its sign. */
const longInteger = /^-?\d{1,20}$/;

/** Reads one innermost list into the buffer; says what is wrong with the first element that does not fit. */
type RowReader = (row: readonly unknown[], data: TensorBuffer, offset: number) => Refusal | undefined;

interface Refusal {
  /** Position in the row. */
  index: number;
  rule: string;
}

/**
 * Reads nested or flat JSON.
 * @param depth levels of nesting: 0 for a single value, 1 for a flat list
 * @param field path of the values, for errors
 */
export function readValues(
  type: TensorType,
  values: unknown,
  shape: readonly number[],
  depth: number,
  field: string,
): TensorBuffer {
  const count = elementCount(shape);
  const data: TensorBuffer = type === "STRING" ? new Array<string>(count) : numericBuffer(type, count);
  const sizes = depth > 1 ? shape : [count];
  const read = rowReader(type);
  let offset = 0;
  const visit = (level: unknown, axis: number): void => {
    const size = sizes[axis]!;
    if (!Array.isArray(level) || level.length !== size) {
      const found = Array.isArray(level) ? `${level.length} elements` : shown(level);
      throw InvalidInputError.at(
        field,
        `is ragged: ${size} elements are expected in axis ${axis}, found ${found}`,
      );
    }
    if (axis < sizes.length - 1) {
      for (const inner of level) visit(inner, axis + 1);
      return;
    }
    const refusal = read(level, data, offset);
    if (refusal) throw refused(field, offset + refusal.index, shape, refusal.rule);
    offset += size;
  };
  visit(depth === 0 ? [values] : values, 0);
  return data;
}

function rowReader(type: TensorType): RowReader {
  if (type === "FLOAT32" || type === "FLOAT64" || type === "FLOAT16") return floatReader(type);
  if (type === "INT64" || type === "UINT64") return longReader(type);
  if (type === "BOOL") return readFlags;
  if (type === "STRING") return readStrings;
  return integerReader(type);
}

function floatReader(type: "FLOAT32" | "FLOAT64" | "FLOAT16"): RowReader {
  const convert = type === "FLOAT16" ? numberToHalf : undefined;
  const overflows = (value: number) =>
    Math.abs(convert ? halfToNumber(convert(value)) : Math.fround(value)) === Infinity;
  return (row, data, offset) => {
    for (let i = 0; i < row.length; i++) {
      let value = row[i];
      if (typeof value !== "number") {
        value = typeof value === "string" ? nonFinite.get(value) : undefined;
        if (value === undefined) {
          return {
            index: i,
            rule: `must be a number, "NaN", "Infinity" or "-Infinity", not ${shown(row[i])}`,
          };
        }
      } else if (type !== "FLOAT64" && overflows(value)) {
        return { index: i, rule: `${value} is beyond the range of ${type}` };
      }
      (data as Float64Array)[offset + i] = convert ? convert(value as number) : (value as number);
    }
    return undefined;
  };
}

function integerReader(type: NumericType): RowReader {
  const [lowest, highest] = integerRange[type]!;
  return (row, data, offset) => {
    for (let i = 0; i < row.length; i++) {
      const value = row[i];
      if (typeof value !== "number" || !Number.isInteger(value) || value < lowest || value > highest) {
        return { index: i, rule: `must be an integer from ${lowest} to ${highest}, not ${shown(value)}` };
      }
      (data as Int32Array)[offset + i] = value;
    }
    return undefined;
  };
}

function longReader(type: "INT64" | "UINT64"): RowReader {
  const [lowest, highest] = longRange[type];
  return (row, data, offset) => {
    for (let i = 0; i < row.length; i++) {
      const value = row[i];
      if (typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value)) {
        return { index: i, rule: `${value} is beyond 2^53 and may have been rounded; write it as a string` };
      }
      const isInteger = typeof value === "string" ? longInteger.test(value) : Number.isInteger(value);
      const long = isInteger ? BigInt(value as string | number) : undefined;
      if (long === undefined || long < lowest || long > highest) {
        const rule = `must be an integer from ${lowest} to ${highest}, as a number or a string, not ${shown(value)}`;
        return { index: i, rule };
      }
      (data as BigInt64Array)[offset + i] = long;
    }
    return undefined;
  };
}

function readFlags(row: readonly unknown[], data: TensorBuffer, offset: number): Refusal | undefined {
  for (let i = 0; i < row.length; i++) {
    if (typeof row[i] !== "boolean") return { index: i, rule: `must be true or false, not ${shown(row[i])}` };
    data[offset + i] = row[i] ? 1 : 0;
  }
  return undefined;
}

function readStrings(row: readonly unknown[], data: TensorBuffer, offset: number): Refusal | undefined {
  for (let i = 0; i < row.length; i++) {
    const value = row[i];
    if (typeof value !== "string") return { index: i, rule: `must be a string, not ${shown(value)}` };
    // The engine's strings end at the first one.
    if (value.includes("\0")) return { index: i, rule: "must not contain the character U+0000" };
    (data as string[])[offset + i] = value;
  }
  return undefined;
}

/** Nested lists in the tensor's shape; a scalar is a single value. */
export function writeValues({ type, shape, data }: TensorValue): unknown {
  const write = rowWriter(type);
  const width = shape.at(-1) ?? 1;
  let offset = 0;
  const visit = (axis: number): unknown[] => {
    if (axis >= shape.length - 1) {
      const row = write(data, offset, offset + width);
      offset += width;
      return row;
    }
    const rows = new Array<unknown>(shape[axis]!);
    for (let i = 0; i < rows.length; i++) rows[i] = visit(axis + 1);
    return rows;
  };
  const values = visit(0);
  return shape.length === 0 ? values[0] : values;
}

type RowWriter = (data: TensorBuffer, start: number, end: number) => unknown[];

function rowWriter(type: TensorType): RowWriter {
  switch (type) {
    case "FLOAT32":
    case "FLOAT64":
      return writeFloats;
    case "FLOAT16":
      return (data, start, end) => Array.from((data as Uint16Array).subarray(start, end), writeHalf);
    case "INT64":
    case "UINT64":
      return (data, start, end) => Array.from((data as BigInt64Array).subarray(start, end), writeLong);
    case "BOOL":
      return (data, start, end) => Array.from((data as Uint8Array).subarray(start, end), Boolean);
    default:
      return (data, start, end) => Array.from<unknown>((data as Int32Array).slice(start, end));
  }
}

function writeFloats(data: TensorBuffer, start: number, end: number): unknown[] {
  const row = new Array<unknown>(end - start);
  for (let i = start; i < end; i++) {
    const value = data[i] as number;
    row[i - start] = Number.isFinite(value) ? value : String(value);
  }
  return row;
}

function writeHalf(bits: number): number | string {
  const value = halfToNumber(bits);
  return Number.isFinite(value) ? value : String(value);
}

function writeLong(value: bigint): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : String(value);
}

function refused(field: string, position: number, shape: readonly number[], rule: string): InvalidInputError {
  const indices: number[] = [];
  let rest = position;
  for (const size of [...shape].reverse()) {
    indices.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return InvalidInputError.at(field, `element [${indices.join(", ")}] ${rule}`);
}

/** A value for an error message, not too long. */
function shown(value: unknown): string {
  const text = JSON.stringify(value) as string | undefined;
  if (text === undefined) return String(value);
  return text.length > 40 ? `${text.slice(0, 40)}...` : text;
}
