import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { open, stat } from "node:fs/promises";
import type { ExpectedObject } from "../ports/object-store.js";
import { InvalidInputError, NotFoundError, UnavailableError } from "../shared/errors.js";

/**
 * Writes and syncs a new file; reads no further than the first byte too many.
 * @throws {InvalidInputError} when size or digest differ from what was announced
 * @throws {UnavailableError} when the disk is full
 */
export async function writeVerified(
  path: string,
  expected: ExpectedObject,
  content: AsyncIterable<Uint8Array>,
): Promise<void> {
  const digest = createHash("sha256");
  const file = await open(path, "wx");
  let bytes = 0;
  try {
    for await (const chunk of content) {
      bytes += chunk.length;
      if (bytes > expected.bytes) throw wrongSize(expected.bytes, "more");
      digest.update(chunk);
      await writeAll(file, chunk);
    }
    if (bytes < expected.bytes) throw wrongSize(expected.bytes, `only ${bytes}`);
    const actual = digest.digest("hex");
    if (actual !== expected.sha256) {
      throw InvalidInputError.at("sha256", `announced as ${expected.sha256}, but the content has ${actual}`);
    }
    await file.sync();
  } catch (error) {
    throw isDiskFull(error) ? diskFull(error) : error;
  } finally {
    await file.close();
  }
}

function isDiskFull(error: unknown): boolean {
  return ["ENOSPC", "EDQUOT"].includes((error as NodeJS.ErrnoException).code ?? "");
}

function diskFull(cause: unknown): UnavailableError {
  return new UnavailableError("no space is left where artifacts are kept", { cause });
}

async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.length;) at += (await file.write(chunk, at)).bytesWritten;
}

/** Digest and size of a local file. */
export async function digestFile(path: string): Promise<ExpectedObject> {
  const digest = createHash("sha256");
  let bytes = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) {
    bytes += (chunk as Buffer).length;
    digest.update(chunk as Buffer);
  }
  return { sha256: digest.digest("hex"), bytes };
}

/** Makes the file's content durable. */
export async function syncFile(path: string): Promise<void> {
  const handle = await open(path, "r+");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes a rename within the folder durable. */
export async function syncFolder(folder: string): Promise<void> {
  // Windows opens no folders, and keeps its metadata in a journal.
  if (process.platform === "win32") return;
  const handle = await open(folder);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Size in bytes, or undefined when there is no such file. */
export async function fileSize(path: string): Promise<number | undefined> {
  return stat(path).then(
    ({ size }) => size,
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw error;
    },
  );
}

/** @throws {InvalidInputError} for what is no digest, and could be a path */
export function assertDigest(sha256: string): void {
  if (!/^[0-9a-f]{64}$/.test(sha256)) {
    throw InvalidInputError.at("sha256", "must be 64 lower-case hexadecimal digits");
  }
}

/** @throws {InvalidInputError} when the range starts outside the object */
export function assertRange({ start, end }: { start: number; end: number }, bytes: number): void {
  if (start < 0 || end < start || start >= bytes) {
    throw InvalidInputError.at("range", `must lie within the object's ${bytes} bytes`);
  }
}

export function missingObject(sha256: string): NotFoundError {
  return new NotFoundError(`there is no object ${sha256}`);
}

export function damagedObject(sha256: string, cause?: unknown): UnavailableError {
  return new UnavailableError(`object ${sha256} is damaged: its content has another digest`, { cause });
}

function wrongSize(announced: number, received: string): InvalidInputError {
  return InvalidInputError.at("bytes", `announced as ${announced}, but ${received} arrived`);
}
