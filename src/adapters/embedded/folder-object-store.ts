import { randomUUID } from "node:crypto";
import { access, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import type { ByteRange, ExpectedObject, ObjectStore, StoredObject } from "../../ports/object-store.js";
import { UnavailableError } from "../../shared/errors.js";
import { assertPlainNames, fileSetKey, layOutFiles } from "../file-set.js";
import { FileVerifier } from "../file-verifier.js";
import { openProcessFolder } from "../process-folder.js";
import {
  assertDigest,
  assertRange,
  damagedObject,
  fileSize,
  missingObject,
  syncFolder,
  writeVerified,
} from "../verified-file.js";

/**
 * Objects as files of one folder: `objects/ab/abcdef...` by content, `sets/<pid>/<digest>/` for materialised sets (hard
 * links to the objects), `drafts/<pid>/` for what is being written. Sets and drafts do not survive their process.
 */
export class FolderObjectStore implements ObjectStore {
  private readonly verifier = new FileVerifier();

  private constructor(
    private readonly objects: string,
    private readonly sets: string,
    private readonly drafts: string,
  ) {}

  /** Creates the folder when missing and sweeps what a killed process has left of uploads and sets. */
  static async open(folder: string): Promise<FolderObjectStore> {
    const objects = join(folder, "objects");
    await mkdir(objects, { recursive: true });
    const sets = await openProcessFolder(join(folder, "sets"));
    return new FolderObjectStore(objects, sets, await openProcessFolder(join(folder, "drafts")));
  }

  async put(expected: ExpectedObject, content: AsyncIterable<Uint8Array>): Promise<void> {
    const target = this.pathOf(expected.sha256);
    const draft = join(this.drafts, randomUUID());
    try {
      await writeVerified(draft, expected, content);
      // What is there and damaged is replaced.
      if (await this.verifier.holds(target, expected.sha256)) return;
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
    assertPlainNames(files);
    const paths = new Map<string, string>();
    for (const [name, sha256] of files) paths.set(name, await this.verified(sha256));
    const folder = join(this.sets, fileSetKey(files));
    await layOutFiles(folder, join(this.drafts, randomUUID()), paths);
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

  takeUpload(): Promise<boolean> {
    return Promise.resolve(false);
  }

  async sweep(): Promise<void> {
    // Drafts go with their process, or when the next one opens the folder.
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
    for (const folder of [this.sets, this.drafts]) await rm(folder, { recursive: true, force: true });
  }

  /** Path of an object whose content is what its name says. */
  private async verified(sha256: string): Promise<string> {
    const path = this.pathOf(sha256);
    if (await this.verifier.holds(path, sha256)) return path;
    throw (await fileSize(path)) === undefined ? missingObject(sha256) : damagedObject(sha256);
  }

  private pathOf(sha256: string): string {
    assertDigest(sha256);
    return join(this.objects, sha256.slice(0, 2), sha256);
  }
}
