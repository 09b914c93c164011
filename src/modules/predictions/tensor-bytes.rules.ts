import { InvalidInputError } from "../../shared/errors.js";
import { bytesPerElement, elementCount, numericBuffer } from "../../shared/tensor.js";
import type { TensorSpec, TensorValue } from "../../shared/tensor.js";
import { chooseShape } from "./tensor-shape.rules.js";
import type { TensorLimits } from "./tensor-shape.rules.js";

const base64Text = /^[A-Za-z0-9+/]*={0,2}$/;

/** Reads little-endian bytes. */
export function readBase64(
  spec: TensorSpec,
  base64: string,
  written: readonly number[] | undefined,
  path: string,
  limits: TensorLimits,
): TensorValue {
  const field = `${path}.base64`;
  const { type } = spec;
  if (type === "STRING") {
    throw InvalidInputError.at(
      field,
      "a STRING tensor is given by values, since strings have no fixed width",
    );
  }
  if (base64.length % 4 !== 0 || !base64Text.test(base64)) throw InvalidInputError.at(field, "is not base64");
  const bytes = (base64.length / 4) * 3 - (base64.endsWith("==") ? 2 : base64.endsWith("=") ? 1 : 0);
  const width = bytesPerElement(type);
  if (bytes % width !== 0) {
    throw InvalidInputError.at(
      field,
      `holds ${bytes} bytes, which is no multiple of the ${width} of one ${type}`,
    );
  }
  assertBytes(written ?? knownShape(spec), bytes, width, field);
  const count = bytes / width;
  const shape = chooseShape(spec, { written, nested: undefined, count, source: "base64" }, path, limits);
  const data = numericBuffer(type, count);
  Buffer.from(data.buffer).write(base64, "base64");
  if (type === "BOOL") assertFlags(data as Uint8Array, field);
  return { type, shape, data };
}

export function writeBase64({ data }: TensorValue): string {
  const { buffer, byteOffset, byteLength } = data as Uint8Array;
  return Buffer.from(buffer, byteOffset, byteLength).toString("base64");
}

function knownShape({ shape }: TensorSpec): readonly number[] | undefined {
  return shape.includes(null) ? undefined : (shape as number[]);
}

function assertBytes(
  shape: readonly number[] | undefined,
  bytes: number,
  width: number,
  field: string,
): void {
  const expected = shape && elementCount(shape) * width;
  if (expected !== undefined && expected >= 0 && expected !== bytes) {
    throw InvalidInputError.at(
      field,
      `holds ${bytes} bytes, but the shape [${shape?.join(", ")}] needs ${expected}`,
    );
  }
}

function assertFlags(data: Uint8Array, field: string): void {
  const wrong = data.findIndex((byte) => byte > 1);
  if (wrong >= 0) throw InvalidInputError.at(field, `byte ${wrong} is ${data[wrong]}; a BOOL is 0 or 1`);
}
