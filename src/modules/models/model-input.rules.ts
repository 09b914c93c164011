import { InvalidInputError } from "../../shared/errors.js";
import type { ModelSignature } from "../../ports/inference-runtime.js";
import type { ArtifactFileRecord } from "./model-version.entity.js";

/** Name of the graph among the files of a version. */
export const GRAPH_FILE = "model.onnx";

const NAME = /^[a-z0-9_-]{1,64}$/;
const SHA256 = /^[0-9a-f]{64}$/;
const FILE_NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const MOST_ENTRIES = 200;
const MOST_FILES = 64;

export function assertModelName(name: string, field: string): void {
  if (!NAME.test(name)) throw InvalidInputError.at(field, "lower-case letters, digits, _ and -, at most 64");
}

/** Names must be distinct and short. */
export function assertEntries(entries: readonly { name: string; value: unknown }[], field: string): void {
  if (entries.length > MOST_ENTRIES) throw InvalidInputError.at(field, `at most ${MOST_ENTRIES}`);
  const seen = new Set<string>();
  entries.forEach(({ name, value }, i) => {
    if (name.length === 0 || name.length > 128)
      throw InvalidInputError.at(`${field}.${i}.name`, "must be 1 to 128 characters long");
    if (typeof value === "string" && value.length > 4096)
      throw InvalidInputError.at(`${field}.${i}.value`, "at most 4096 characters");
    if (seen.has(name)) throw InvalidInputError.at(`${field}.${i}.name`, `"${name}" is there twice`);
    seen.add(name);
  });
}

/** @throws {InvalidInputError} for a digest or size that cannot be one */
export function assertArtifact(
  artifact: { sha256: string; bytes: number },
  field: string,
  maxBytes: number,
): void {
  const prefix = field === "" ? "" : `${field}.`;
  if (!SHA256.test(artifact.sha256)) {
    throw InvalidInputError.at(
      `${prefix}sha256`,
      "must be the SHA-256 of the file, 64 lower-case hex digits",
    );
  }
  if (artifact.bytes < 1 || artifact.bytes > maxBytes) {
    throw InvalidInputError.at(`${prefix}bytes`, `must be from 1 to ${maxBytes}`);
  }
}

export function assertFiles(files: readonly ArtifactFileRecord[], maxBytes: number): void {
  if (files.length > MOST_FILES) throw InvalidInputError.at("input.files", `at most ${MOST_FILES}`);
  const seen = new Set<string>([GRAPH_FILE]);
  files.forEach((file, i) => {
    const field = `input.files.${i}`;
    if (!FILE_NAME.test(file.name)) {
      throw InvalidInputError.at(
        `${field}.name`,
        "a plain file name: letters, digits, . _ and -, at most 128",
      );
    }
    if (seen.has(file.name)) throw InvalidInputError.at(`${field}.name`, `"${file.name}" is taken`);
    seen.add(file.name);
    assertArtifact(file, field, maxBytes);
  });
}

/**
 * What a curve forecaster's graph must look like: history [N, dates, tenors] in; mean, lower and upper
 * [N, horizons, tenors] out.
 * @returns what is wrong, or undefined
 */
export function forecasterSignatureFault(signature: ModelSignature): string | undefined {
  const [history, ...others] = signature.inputs;
  if (history?.name !== "history" || others.length > 0)
    return "a curve forecaster has one input, named history";
  if (history.type !== "FLOAT32" || history.shape.length !== 3) {
    return "the input history of a curve forecaster is FLOAT32 [N, dates, tenors]";
  }
  for (const name of ["mean", "lower", "upper"]) {
    const output = signature.outputs.find((candidate) => candidate.name === name);
    if (output?.type !== "FLOAT32" || output.shape.length !== 3) {
      return `a curve forecaster has an output ${name}, FLOAT32 [N, horizons, tenors]`;
    }
  }
  return undefined;
}
