import { InvalidInputError } from "../shared/errors.js";

/** In /u mode a surrogate matches only where it is no half of a pair. */
const HALF_PAIR = /\p{Surrogate}/u;
/** Levels of lists and objects: deeper than any tensor, and nothing that walks them runs out of stack. */
const DEEPEST = 64;

/**
 * Neither PostgreSQL nor an ONNX string holds a NUL, and half of a surrogate pair is no character of UTF-8:
 * such text would be cut or changed on its way.
 * @param args the arguments of a field, by name
 * @throws {InvalidInputError} naming the argument or input field that holds such text, or is nested too deep
 */
export function assertStorable(args: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(args)) assertWithin(value, [name]);
}

function assertWithin(value: unknown, path: (string | number)[]): void {
  if (typeof value === "string") return assertText(value, path);
  if (value === null || typeof value !== "object") return;
  if (path.length > DEEPEST) {
    throw InvalidInputError.at(path.slice(0, 4).join("."), `is nested deeper than ${DEEPEST} levels`);
  }
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      // Most are the numbers of a tensor.
      if (typeof value[i] !== "number") assertWithin(value[i], [...path, i]);
    }
  } else {
    for (const [name, inner] of Object.entries(value)) {
      assertText(name, path);
      assertWithin(inner, [...path, name]);
    }
  }
}

function assertText(text: string, path: (string | number)[]): void {
  if (text.includes("\0"))
    throw InvalidInputError.at(path.join("."), "must not contain the character U+0000");
  if (HALF_PAIR.test(text))
    throw InvalidInputError.at(path.join("."), "must not contain half a surrogate pair");
}
