import { createHash } from "node:crypto";
import { copyFile, link } from "node:fs/promises";
import { InvalidInputError } from "../shared/errors.js";
import { missingObject } from "./verified-file.js";

/** Name of the folder that holds such a set: the same files give the same name. */
export function fileSetKey(files: ReadonlyMap<string, string>): string {
  const entries = [...files].sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash("sha256").update(JSON.stringify(entries)).digest("hex");
}

/** @throws {InvalidInputError} unless it is a file name without a path */
export function plainName(name: string): string {
  if (name === "" || name === "." || name === ".." || /[/\\\0]/.test(name)) {
    throw InvalidInputError.at("files", `"${name}" must be a file name without a path`);
  }
  return name;
}

/** Gives the object's file a second name: removing one leaves the other. @throws {NotFoundError} */
export async function placeObject(object: string, sha256: string, path: string): Promise<void> {
  try {
    await link(object, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") throw missingObject(sha256);
    // Some file systems know no hard links.
    await copyFile(object, path);
  }
}
