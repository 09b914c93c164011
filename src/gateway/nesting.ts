import { InvalidInputError } from "../shared/errors.js";

/** Levels of lists and objects in a request; every input of the graph is far less deep. */
const DEEPEST = 100;

/** Parts of a path that are told: what comes after them is the caller's own depths. */
const TOLD = 4;

/**
 * Refuses what whoever walks it recursively might run out of stack for.
 * @param pathOf the input; asked for when it is refused
 * @throws {InvalidInputError} naming the input that is nested too deep
 */
export function assertShallow(pathOf: () => string, value: unknown): void {
  const deep = deepPath(value, DEEPEST);
  if (!deep) return;
  const field = [...pathOf().split("."), ...deep].slice(0, TOLD).join(".");
  throw InvalidInputError.at(field, `is nested deeper than ${DEEPEST} levels`);
}

/** Keys that lead to what is deeper; undefined when nothing is. */
function deepPath(value: unknown, levels: number): string[] | undefined {
  if (value === null || typeof value !== "object") return undefined;
  if (levels === 0) return [];
  if (!Array.isArray(value)) {
    for (const [name, inner] of Object.entries(value)) {
      const path = deepPath(inner, levels - 1);
      if (path) return [name, ...path];
    }
    return undefined;
  }
  for (let i = 0; i < value.length; i++) {
    // Most are the numbers of a tensor.
    const path = typeof value[i] === "object" ? deepPath(value[i], levels - 1) : undefined;
    if (path) return [String(i), ...path];
  }
  return undefined;
}
