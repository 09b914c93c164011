import { InvalidInputError } from "../shared/errors.js";

/** Levels of lists and objects in a request; every input of the graph is far less deep. */
const DEEPEST = 100;

/**
 * Refuses what whoever walks it recursively might run out of stack for.
 * @param name of the part of the request, for the message
 * @throws {InvalidInputError}
 */
export function assertShallow(name: string, value: unknown): void {
  if (isDeeper(value, DEEPEST)) {
    throw new InvalidInputError(`${name}: nested deeper than ${DEEPEST} levels`);
  }
}

function isDeeper(value: unknown, levels: number): boolean {
  if (value === null || typeof value !== "object") return false;
  if (levels === 0) return true;
  if (!Array.isArray(value)) return Object.values(value).some((inner) => isDeeper(inner, levels - 1));
  // Most are the numbers of a tensor.
  for (const item of value) if (typeof item === "object" && isDeeper(item, levels - 1)) return true;
  return false;
}
