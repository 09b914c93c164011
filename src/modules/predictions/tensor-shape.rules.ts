import { InvalidInputError } from "../../shared/errors.js";
import { elementCount } from "../../shared/tensor.js";
import type { TensorSpec } from "../../shared/tensor.js";

export interface TensorLimits {
  /** Elements of one tensor. */
  elements: number;
  /** Size of a dynamic first dimension. */
  rows: number;
}

/** What a caller tells of a tensor's shape. */
export interface ShapeEvidence {
  /** The shape that was written beside the data. */
  written: readonly number[] | undefined;
  /** How the values are nested; undefined for bytes, which are not. */
  nested: readonly number[] | undefined;
  /** Elements that were given. */
  count: number;
  source: "values" | "base64";
}

/** Deeper than any tensor; keeps a hostile nesting out of error messages. */
const deepestNesting = 32;

/** Sizes along the first elements of nested arrays; a single value has none. */
export function nestedShape(values: unknown): number[] {
  const shape: number[] = [];
  for (let level = values; Array.isArray(level) && shape.length < deepestNesting; level = level[0]) {
    shape.push(level.length);
  }
  return shape;
}

/**
 * The shape of a tensor: as written, as nested, or as the signature leaves no choice.
 * @throws {InvalidInputError} when these contradict each other, the signature or the limits
 */
export function chooseShape(
  spec: TensorSpec,
  evidence: ShapeEvidence,
  path: string,
  limits: TensorLimits,
): number[] {
  const { written, nested, count, source } = evidence;
  if (count > limits.elements) {
    throw InvalidInputError.at(
      `${path}.${source}`,
      `has ${count} elements, at most ${limits.elements} are taken`,
    );
  }
  const isNested = nested !== undefined && nested.length > 1;
  const shape = written
    ? checkedSizes(written, path)
    : isNested
      ? [...nested]
      : impliedShape(spec, evidence, path);
  const field = written ? `${path}.shape` : `${path}.${source}`;
  assertFits(spec, shape, field);
  if (spec.shape[0] === null && shape[0]! > limits.rows) {
    throw InvalidInputError.at(field, `has ${shape[0]} rows, at most ${limits.rows} are taken`);
  }
  if (written && isNested && !sameShape(shape, nested)) {
    throw InvalidInputError.at(field, `is ${format(shape)}, but the values are nested as ${format(nested)}`);
  }
  if (elementCount(shape) !== count) {
    throw InvalidInputError.at(
      field,
      `${format(shape)} holds ${elementCount(shape)} elements, but ${count} are given`,
    );
  }
  return shape;
}

function checkedSizes(shape: readonly number[], path: string): number[] {
  for (const [axis, size] of shape.entries()) {
    if (!Number.isSafeInteger(size) || size < 0) {
      throw InvalidInputError.at(`${path}.shape.${axis}`, `must be an integer of at least 0, not ${size}`);
    }
  }
  return [...shape];
}

/** The only shape of the signature that so many elements can have. */
function impliedShape(spec: TensorSpec, { nested, count, source }: ShapeEvidence, path: string): number[] {
  if (nested && nested.length === spec.shape.length) return [...nested];
  const dynamic = spec.shape.filter((size) => size === null).length;
  if (dynamic > 1) {
    throw InvalidInputError.at(
      `${path}.shape`,
      `is needed, since ${format(spec.shape)} leaves ${dynamic} sizes open`,
    );
  }
  const rest = elementCount(spec.shape.map((size) => size ?? 1));
  const open = rest === 0 ? 0 : count / rest;
  if (dynamic === 1 && !Number.isInteger(open)) {
    throw InvalidInputError.at(
      `${path}.${source}`,
      `has ${count} elements, which is no multiple of ${rest} (${format(spec.shape)})`,
    );
  }
  return spec.shape.map((size) => size ?? open);
}

function assertFits(spec: TensorSpec, shape: readonly number[], field: string): void {
  if (shape.length !== spec.shape.length) {
    throw InvalidInputError.at(
      field,
      `has rank ${shape.length} (${format(shape)}), but "${spec.name}" has rank ${spec.shape.length} (${format(spec.shape)})`,
    );
  }
  for (const [axis, size] of spec.shape.entries()) {
    if (size !== null && size !== shape[axis]) {
      throw InvalidInputError.at(field, `is ${format(shape)}, but "${spec.name}" is ${format(spec.shape)}`);
    }
  }
}

function sameShape(left: readonly number[], right: readonly number[]): boolean {
  return left.length === right.length && left.every((size, axis) => size === right[axis]);
}

/** A shape for people: [?, 40], where ? is dynamic. */
function format(shape: readonly (number | null)[]): string {
  return `[${shape.map((size) => size ?? "?").join(", ")}]`;
}
