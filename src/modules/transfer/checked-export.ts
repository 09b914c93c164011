import { readFile, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { NotFoundError, PreconditionFailedError } from "../../shared/errors.js";
import { exportedTables } from "./exported-tables.js";
import { LineDigest, readTableFile } from "./table-file.js";
import { artifactFile, manifestFile, tableFile } from "./transfer-folder.js";
import { parseManifest } from "./transfer-manifest.js";
import type { TableContents, TransferManifest } from "./transfer-manifest.js";

/** An export whose files are there, and whose rows are those that were exported. */
export interface CheckedExport {
  folder: string;
  manifest: TransferManifest;
}

/**
 * Reads an export before anything is written. Artifacts are checked for their size only: the object store takes
 * nothing under a digest that it has not.
 * @throws {NotFoundError} when the folder holds none
 * @throws {PreconditionFailedError} when it is damaged, incomplete or of a newer platform
 */
export async function checkExport(path: string): Promise<CheckedExport> {
  const folder = resolve(path);
  const manifest = parseManifest(await readManifest(folder));
  for (const table of manifest.tables) await checkTable(folder, table);
  for (const { sha256, bytes } of manifest.artifacts) await checkSize(artifactFile(folder, sha256), bytes);
  return { folder, manifest };
}

async function readManifest(folder: string): Promise<string> {
  try {
    return await readFile(manifestFile(folder), "utf8");
  } catch (error) {
    throw new NotFoundError(`${folder} holds no export: ${(error as Error).message}`, { cause: error });
  }
}

async function checkTable(folder: string, { name, rows, sha256 }: TableContents): Promise<void> {
  if (exportedTables.every((table) => table.name !== name)) {
    throw new PreconditionFailedError(
      `manifest.json: this platform has no table ${name}; import with one as new as the one that exported`,
    );
  }
  const file = tableFile(folder, name);
  const read = new LineDigest();
  for await (const line of readTableFile(file)) read.add(line);
  if (read.rows !== rows || read.end() !== sha256) {
    throw new PreconditionFailedError(`${file} is damaged: its rows are not those that were exported`);
  }
}

async function checkSize(file: string, bytes: number): Promise<void> {
  const found = await stat(file).catch(() => undefined);
  if (!found) throw new PreconditionFailedError(`${file} is missing`);
  if (found.size !== bytes) {
    throw new PreconditionFailedError(`${file} is damaged: it has ${found.size} bytes, not ${bytes}`);
  }
}
