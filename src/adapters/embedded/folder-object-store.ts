import { randomUUID } from "node:crypto";
import { access, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import type { ByteRange, ExpectedObject, ObjectStore, StoredObject } from "../../ports/object-store.js";
import { UnavailableError } from "../../shared/errors.js";
import { fileSetKey, placeObject, plainName } from "../file-set.js";
import {
  assertDigest,
  assertRange,
  fileSize,
  missingObject,
  syncFolder,
  writeVerified,
} from "../verified-file.js";

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
      throw error.code === "ENOENT" ? missingObject(sha256) : error;
    });
    if (!range) return handle.createReadStream();
    const { size } = await handle.stat();
    try {
      assertRange(range, size);
    } catch (error) {
      await handle.close();
      throw error;
    }
    return handle.createReadStream({ start: range.start, end: range.end });
  }

  async materialize(files: ReadonlyMap<string, string>): Promise<string> {
    const folder = join(this.sets, fileSetKey(files));
    if ((await fileSize(folder)) !== undefined) return folder;
    const draft = join(this.drafts, randomUUID());
    await mkdir(draft);
    try {
      for (const [name, sha256] of files) {
        await placeObject(this.pathOf(sha256), sha256, join(draft, plainName(name)));
      }
      await syncFolder(draft);
      await rename(draft, folder);
    } catch (error) {
      // Another call may have made the same set meanwhile.
      if ((await fileSize(folder)) === undefined) throw error;
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
    assertDigest(sha256);
    return join(this.objects, sha256.slice(0, 2), sha256);
  }
}
