import { randomBytes } from "node:crypto";
import { readFile, rename, writeFile } from "node:fs/promises";

const KEY_BYTES = 32;

/** A random key that is kept beside the data, made at its first use. */
export async function readLocalKey(file: string): Promise<Uint8Array> {
  const kept = await readFile(file).catch(() => undefined);
  if (kept?.length === KEY_BYTES) return kept;
  // Renamed into place: a process killed while writing must not leave an empty key, which anybody could sign with.
  await writeFile(`${file}.draft`, randomBytes(KEY_BYTES), { mode: 0o600 });
  await rename(`${file}.draft`, file);
  return readFile(file);
}
