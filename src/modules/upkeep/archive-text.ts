import { text } from "node:stream/consumers";
import type { Archive } from "../../ports/archive.js";
import { NotFoundError } from "../../shared/errors.js";

/** A short text of the archive; undefined where there is none of that name. */
export async function readText(archive: Archive, name: string): Promise<string | undefined> {
  try {
    return await text(await archive.read(name));
  } catch (error) {
    if (error instanceof NotFoundError) return undefined;
    throw error;
  }
}

/** Names of all files that begin so, in order. */
export async function namesOf(archive: Archive, prefix: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of archive.list(prefix)) names.push(name);
  return names.sort();
}
