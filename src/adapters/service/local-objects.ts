import { randomUUID } from "node:crypto";
import { mkdir, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import type { ExpectedObject } from "../../ports/object-store.js";
import { reportCacheLookups } from "../../telemetry/events.js";
import { assertPlainNames, fileSetKey, layOutFiles } from "../file-set.js";
import { FileVerifier } from "../file-verifier.js";
import { openProcessFolder } from "../process-folder.js";
import { assertDigest } from "../verified-file.js";

/** What has been asked for so lately is never removed: its reader may be about to open it. */
const GRACE_MS = 10 * 60_000;

interface LocalFile {
  path: string;
  sha256: string;
  bytes: number;
  inode: number;
  usedAt: number;
}

/**
 * Copies of a store's objects on local disk, bounded in bytes: `objects/ab/abcdef...` by content, `sets/<digest>/`
 * for materialised sets (hard links to the objects), `drafts/<pid>/` for what is being written. Processes of one
 * machine may share the folder. A file is verified before a process uses it for the first time.
 */
export class LocalObjects {
  private readonly verifier = new FileVerifier();
  private readonly fetching = new Map<string, Promise<string>>();
  private readonly layingOut = new Map<string, Promise<string>>();
  private readonly objects: string;
  private readonly sets: string;

  private constructor(
    folder: string,
    private readonly drafts: string,
    private readonly maxBytes: number,
  ) {
    this.objects = join(folder, "objects");
    this.sets = join(folder, "sets");
  }

  /** Creates the folder when missing and drops the drafts of processes that are no more. */
  static async open(folder: string, maxBytes: number): Promise<LocalObjects> {
    const local = new LocalObjects(folder, await openProcessFolder(join(folder, "drafts")), maxBytes);
    for (const path of [local.objects, local.sets]) await mkdir(path, { recursive: true });
    await local.shrink();
    return local;
  }

  /** A path for a file to be written; to be kept with `offer`, or removed. */
  draft(): string {
    return join(this.drafts, randomUUID());
  }

  /** Keeps a draft whose content has been verified, if there is place for it. */
  async offer(draft: string, { sha256, bytes }: ExpectedObject): Promise<void> {
    if (bytes <= this.maxBytes) await this.keep(draft, sha256);
  }

  /** Path of the verified local copy; calls for the same object share one `fetch`, which writes the draft. */
  async locate(sha256: string, fetch: (draft: string) => Promise<void>): Promise<string> {
    const path = this.pathOf(sha256);
    const waited = this.fetching.get(sha256);
    if (waited) return waited;
    const located = this.find(path, sha256, fetch).finally(() => this.fetching.delete(sha256));
    this.fetching.set(sha256, located);
    return located;
  }

  /** A folder that holds these objects as files. */
  layOut(
    files: ReadonlyMap<string, string>,
    fetch: (sha256: string, draft: string) => Promise<void>,
  ): Promise<string> {
    const key = fileSetKey(files);
    const waited = this.layingOut.get(key);
    if (waited) return waited;
    const folder = this.makeSet(key, files, fetch).finally(() => this.layingOut.delete(key));
    this.layingOut.set(key, folder);
    return folder;
  }

  async remove(sha256: string): Promise<void> {
    await rm(this.pathOf(sha256), { force: true });
    this.verifier.forget(sha256);
  }

  async close(): Promise<void> {
    await rm(this.drafts, { recursive: true, force: true });
  }

  private async find(path: string, sha256: string, fetch: (draft: string) => Promise<void>): Promise<string> {
    const held = await this.verifier.holds(path, sha256);
    reportCacheLookups("artifact", held ? { hit: 1 } : { miss: 1 });
    if (held) {
      const { mtime } = await stat(path);
      // The time of use, whatever the file system itself notes.
      await utimes(path, new Date(), mtime);
      return path;
    }
    const draft = this.draft();
    try {
      await fetch(draft);
      return await this.keep(draft, sha256);
    } finally {
      await rm(draft, { force: true });
    }
  }

  private async makeSet(
    key: string,
    files: ReadonlyMap<string, string>,
    fetch: (sha256: string, draft: string) => Promise<void>,
  ): Promise<string> {
    const folder = join(this.sets, key);
    const paths = new Map<string, string>();
    assertPlainNames(files);
    for (const [name, sha256] of files) {
      paths.set(name, await this.locate(sha256, (draft) => fetch(sha256, draft)));
    }
    await layOutFiles(folder, this.draft(), paths);
    return folder;
  }

  private async keep(draft: string, sha256: string): Promise<string> {
    const path = this.pathOf(sha256);
    await mkdir(join(path, ".."), { recursive: true });
    await rename(draft, path);
    await this.verifier.remember(path, sha256);
    await this.shrink();
    return path;
  }

  /** Removes what was used least recently, with the sets that hold it, until the rest fits. */
  private async shrink(): Promise<void> {
    const files = await this.files();
    let bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    if (bytes <= this.maxBytes) return;
    const sets = await this.setsByInode();
    files.sort((a, b) => a.usedAt - b.usedAt);
    for (const file of files) {
      if (bytes <= this.maxBytes || file.usedAt > Date.now() - GRACE_MS) return;
      for (const set of sets.get(file.inode) ?? []) await rm(set, { recursive: true, force: true });
      await rm(file.path, { force: true });
      this.verifier.forget(file.sha256);
      bytes -= file.bytes;
    }
  }

  private async files(): Promise<LocalFile[]> {
    const files: LocalFile[] = [];
    for (const shelf of await readdir(this.objects)) {
      for (const sha256 of await readdir(join(this.objects, shelf))) {
        const path = join(this.objects, shelf, sha256);
        const found = await stat(path).catch(() => undefined);
        if (!found) continue;
        files.push({ path, sha256, bytes: found.size, inode: found.ino, usedAt: found.atimeMs });
      }
    }
    return files;
  }

  private async setsByInode(): Promise<Map<number, string[]>> {
    const sets = new Map<number, string[]>();
    for (const key of await readdir(this.sets)) {
      const folder = join(this.sets, key);
      for (const name of await readdir(folder).catch(() => [])) {
        const found = await stat(join(folder, name)).catch(() => undefined);
        if (found) sets.set(found.ino, [...(sets.get(found.ino) ?? []), folder]);
      }
    }
    return sets;
  }

  private pathOf(sha256: string): string {
    assertDigest(sha256);
    return join(this.objects, sha256.slice(0, 2), sha256);
  }
}
