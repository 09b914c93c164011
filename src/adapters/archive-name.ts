import { InvalidInputError, NotFoundError } from "../shared/errors.js";

const STEP = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** @throws {InvalidInputError} for what is no name of an archive, and could lead out of it */
export function assertArchiveName(name: string): void {
  if (name.length > 512 || !name.split("/").every((step) => STEP.test(step))) {
    throw InvalidInputError.at("name", "must be a path of letters, digits, '.', '_' and '-'");
  }
}

export function missingFile(name: string): NotFoundError {
  return new NotFoundError(`the archive holds no ${name}`);
}
