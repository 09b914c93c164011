import { createHash, randomUUID } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { access, copyFile, link, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import type { ByteRange, ExpectedObject, ObjectStore, StoredObject } from "../../ports/object-store.js";
import { InvalidInputError, NotFoundError, UnavailableError } from "../../shared/errors.js";

/**
 * Objects as files of one folder: `objects/ab/abcdef...` by content, `sets/<digest>/` for
 * materialised sets (hard links to the objects), `drafts/` for what is being written. One process at
 * a time; its sets and drafts do not survive it.
 */
export class FolderObjectStore implements ObjectStore {
  private readonly objects: string;
  private readonly sets: string;
  private readonly drafts: string;

  private constructor(folder: string) {
    this.objects = join(folder, "objects");
    this.sets = join(folder, "sets");
    this.drafts = join(folder, "drafts");
  }

  /** Creates the folder when missing and sweeps what a killed process has left of uploads and sets. */
  static async open(folder: string): Promise<FolderObjectStore> {
    const store = new FolderObjectStore(folder);
    for (const path of [store.sets, store.drafts]) await rm(path, { recursive: true, force: true });
    for (const path of [store.objects, store.sets, store.drafts]) await mkdir(path, { recursive: true });
    return store;
  }

  async put(expected: ExpectedObject, content: AsyncIterable<Uint8Array>): Promise<void> {
    const target = this.pathOf(expected.sha256);
    const draft = join(this.drafts, randomUUID());
    try {
      await writeVerified(draft, expected, content);
      if ((await fileSize(target)) !== undefined) return;
      await mkdir(join(target, ".."), { recursive: true });
      await rename(draft, target);
      await syncFolder(join(target, ".."));
      await syncFolder(this.objects);
    } finally {
      await rm(draft, { force: true });
    }
  }

  async size(sha256: string): Promise<number | undefined> {
    return fileSize(this.pathOf(sha256));
  }

  async read(sha256: string, range?: ByteRange): Promise<Readable> {
    const path = this.pathOf(sha256);
    const handle = await open(path).catch((error: NodeJS.ErrnoException) => {
      throw error.code === "ENOENT" ? missing(sha256) : error;
    });
    if (!range) return handle.createReadStream();
    const { size } = await handle.stat();
    if (range.start < 0 || range.end < range.start || range.start >= size) {
      await handle.close();
      throw InvalidInputError.at("range", `must lie within the object's ${size} bytes`);
    }
    return handle.createReadStream({ start: range.start, end: range.end });
  }

  async materialize(files: ReadonlyMap<string, string>): Promise<string> {
    const folder = join(this.sets, setKey(files));
    if (await exists(folder)) return folder;
    const draft = join(this.drafts, randomUUID());
    await mkdir(draft);
    try {
      for (const [name, sha256] of files) await this.place(sha256, join(draft, plainName(name)));
      await syncFolder(draft);
      await rename(draft, folder);
    } catch (error) {
      // Another call may have made the same set meanwhile.
      if (!(await exists(folder))) throw error;
    } finally {
      await rm(draft, { recursive: true, force: true });
    }
    return folder;
  }

  async *list(): AsyncGenerator<StoredObject> {
    for (const shelf of await readdir(this.objects)) {
      for (const sha256 of await readdir(join(this.objects, shelf))) {
        const found = await stat(join(this.objects, shelf, sha256)).catch(() => undefined);
        if (found) yield { sha256, bytes: found.size, modifiedAt: found.mtime };
      }
    }
  }

  uploadLink(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  downloadLink(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  async remove(sha256: string): Promise<void> {
    await rm(this.pathOf(sha256), { force: true });
  }

  async check(): Promise<void> {
    await access(this.objects).catch((error: unknown) => {
      throw new UnavailableError("the object store's folder cannot be read", { cause: error });
    });
  }

  async close(): Promise<void> {
    // Nothing is held between calls.
  }

  private pathOf(sha256: string): string {
    if (!/^[0-9a-f]{64}$/.test(sha256)) {
      throw InvalidInputError.at("sha256", "must be 64 lower-case hexadecimal digits");
    }
    return join(this.objects, sha256.slice(0, 2), sha256);
  }

  private async place(sha256: string, path: string): Promise<void> {
    const object = this.pathOf(sha256);
    try {
      await link(object, path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") throw missing(sha256);
      // Some file systems know no hard links.
      await copyFile(object, path);
    }
  }
}

/** Writes and syncs the file; reads no further than the first byte too many. */
async function writeVerified(
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
  } finally {
    await file.close();
  }
}

async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.length;) at += (await file.write(chunk, at)).bytesWritten;
}

/** Makes a rename within the folder durable. */
async function syncFolder(folder: string): Promise<void> {
  // Windows opens no folders, and keeps its metadata in a journal.
  if (process.platform === "win32") return;
  const handle = await open(folder);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function setKey(files: ReadonlyMap<string, string>): string {
  const entries = [...files].sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash("sha256").update(JSON.stringify(entries)).digest("hex");
}

function plainName(name: string): string {
  if (name === "" || name === "." || name === ".." || /[/\\\0]/.test(name)) {
    throw InvalidInputError.at("files", `"${name}" must be a file name without a path`);
  }
  return name;
}

function wrongSize(announced: number, received: string): InvalidInputError {
  return InvalidInputError.at("bytes", `announced as ${announced}, but ${received} arrived`);
}

function missing(sha256: string): NotFoundError {
  return new NotFoundError(`there is no object ${sha256}`);
}

async function fileSize(path: string): Promise<number | undefined> {
  return stat(path).then(
    ({ size }) => size,
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw error;
    },
  );
}

async function exists(path: string): Promise<boolean> {
  return (await fileSize(path)) !== undefined;
}
