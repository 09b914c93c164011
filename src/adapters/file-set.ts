import { createHash } from "node:crypto";
import { link, mkdir, rename, rm, stat, symlink } from "node:fs/promises";
import { join, resolve } from "node:path";
import { InvalidInputError } from "../shared/errors.js";
import { syncFolder } from "./verified-file.js";

/** Name of the folder that holds such a set: the same files give the same name. */
export function fileSetKey(files: ReadonlyMap<string, string>): string {
  const entries = [...files].sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash("sha256").update(JSON.stringify(entries)).digest("hex");
}

/** @throws {InvalidInputError} unless all are file names without a path */
export function assertPlainNames(files: ReadonlyMap<string, string>): void {
  for (const name of files.keys()) {
    if (name !== "" && name !== "." && name !== ".." && !/[/\\\0]/.test(name)) continue;
    throw InvalidInputError.at("files", `"${name}" must be a file name without a path`);
  }
}

/**
 * Makes a folder that gives these files their names, unless it is there: by hard links, so that removing a file leaves
 * the folder whole.
 * @param draft a path on the same file system for the folder while it is incomplete
 * @param paths file name -> path of the file
 */
export async function layOutFiles(
  folder: string,
  draft: string,
  paths: ReadonlyMap<string, string>,
): Promise<void> {
  if (await holdsFiles(folder, paths)) return;
  await mkdir(draft);
  try {
    for (const [name, path] of paths) await placeFile(path, join(draft, name));
    await syncFolder(draft);
    // What is there refers to files that have been replaced.
    await rm(folder, { recursive: true, force: true });
    await rename(draft, folder);
  } catch (error) {
    // Another call may have made the same folder meanwhile.
    if (!(await holdsFiles(folder, paths))) throw error;
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

async function placeFile(path: string, name: string): Promise<void> {
  try {
    await link(path, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") throw error;
    // Some file systems know no hard links.
    await symlink(resolve(path), name);
  }
}

async function holdsFiles(folder: string, paths: ReadonlyMap<string, string>): Promise<boolean> {
  for (const [name, path] of paths) {
    const [inode, expected] = await Promise.all([inodeOf(join(folder, name)), inodeOf(path)]);
    if (inode === undefined || inode !== expected) return false;
  }
  return true;
}

async function inodeOf(path: string): Promise<number | undefined> {
  return stat(path).then(
    ({ ino }) => ino,
    () => undefined,
  );
}
