import { InvalidInputError } from "../../shared/errors.js";
import { elementCount } from "../../shared/tensor.js";
import type { ModelSignature, TensorSpec, TensorType, TensorValue } from "../../shared/tensor.js";
import { readBase64, writeBase64 } from "./tensor-bytes.rules.js";
import { chooseShape, nestedShape } from "./tensor-shape.rules.js";
import type { TensorLimits } from "./tensor-shape.rules.js";
import { readValues, writeValues } from "./tensor-values.rules.js";

/** A tensor as a caller writes it; null means absent. */
export interface TensorInput {
  name: string;
  shape?: readonly number[] | null;
  /** Nested or flat, row-major. */
  values?: unknown;
  /** Little-endian bytes. */
  base64?: string | null;
}

/** A tensor as a caller reads it. */
export interface EncodedTensor {
  name: string;
  type: TensorType;
  shape: number[];
  values: unknown;
  base64: string | null;
}

export const defaultTensorLimits: TensorLimits = { elements: 4_000_000, rows: 100_000 };

/**
 * Reads what a caller feeds to a model: every input of the signature exactly once, and nothing else.
 * @param path of the list, e.g. `input.inputs`; errors name the field below it
 */
export function decodeInputs(
  { inputs: specs }: ModelSignature,
  inputs: readonly TensorInput[],
  path: string,
  limits = defaultTensorLimits,
): Record<string, TensorValue> {
  const tensors: Record<string, TensorValue> = {};
  for (const [i, input] of inputs.entries()) {
    const spec = specs.find(({ name }) => name === input.name);
    if (!spec) throw unknownName(`${path}.${i}.name`, "input", input.name, specs);
    if (Object.hasOwn(tensors, input.name)) {
      throw InvalidInputError.at(`${path}.${i}.name`, `"${input.name}" is given more than once`);
    }
    tensors[input.name] = decodeTensor(spec, input, `${path}.${i}`, limits);
  }
  const missing = specs.filter(({ name }) => !Object.hasOwn(tensors, name));
  if (missing.length > 0) throw InvalidInputError.at(path, `missing ${names(missing)}`);
  return tensors;
}

/**
 * The outputs that a caller wants.
 * @returns undefined for all of them
 */
export function checkOutputs(
  { outputs: specs }: ModelSignature,
  wanted: readonly string[] | null | undefined,
  path: string,
): readonly string[] | undefined {
  if (!wanted) return undefined;
  if (wanted.length === 0) throw InvalidInputError.at(path, "must name at least one output");
  for (const [i, name] of wanted.entries()) {
    if (!specs.some((spec) => spec.name === name)) throw unknownName(`${path}.${i}`, "output", name, specs);
    if (wanted.indexOf(name) !== i)
      throw InvalidInputError.at(`${path}.${i}`, `"${name}" is named more than once`);
  }
  return wanted;
}

/** @param path of the tensor, e.g. `input.inputs.0` */
export function decodeTensor(
  spec: TensorSpec,
  input: TensorInput,
  path: string,
  limits = defaultTensorLimits,
): TensorValue {
  const { values, base64 } = input;
  const hasValues = values !== undefined && values !== null;
  const hasBase64 = base64 !== undefined && base64 !== null;
  if (hasValues === hasBase64) {
    throw InvalidInputError.at(
      path,
      `exactly one of values and base64 is required, not ${hasValues ? "both" : "neither"}`,
    );
  }
  const written = input.shape ?? undefined;
  if (hasBase64) return readBase64(spec, base64, written, path, limits);
  const nested = nestedShape(values);
  const shape = chooseShape(
    spec,
    { written, nested, count: elementCount(nested), source: "values" },
    path,
    limits,
  );
  return {
    type: spec.type,
    shape,
    data: readValues(spec.type, values, shape, nested.length, `${path}.values`),
  };
}

/** @param encoding strings have no bytes of fixed width, so a STRING tensor is always answered by values */
export function encodeTensor(
  name: string,
  tensor: TensorValue,
  encoding: "VALUES" | "BASE64",
): EncodedTensor {
  const { type, shape } = tensor;
  return encoding === "BASE64" && type !== "STRING"
    ? { name, type, shape, values: null, base64: writeBase64(tensor) }
    : { name, type, shape, values: writeValues(tensor), base64: null };
}

function unknownName(
  field: string,
  role: "input" | "output",
  name: string,
  specs: readonly TensorSpec[],
): InvalidInputError {
  const known = specs.length > 0 ? `it has ${names(specs)}` : "it has none";
  return InvalidInputError.at(field, `the model has no ${role} "${name}"; ${known}`);
}

function names(specs: readonly TensorSpec[]): string {
  return specs.map(({ name }) => `"${name}"`).join(", ");
}
