import { randomUUID } from "node:crypto";
import { copyFile, mkdir, open, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import type { Readable } from "node:stream";
import type { Archive, ArchivedFile } from "../../ports/archive.js";
import { assertArchiveName, missingFile } from "../archive-name.js";
import { openProcessFolder } from "../process-folder.js";
import { digestFile, syncFile, syncFolder } from "../verified-file.js";

/** Files of a folder under their own names; `.drafts/<pid>/` is for what is being written. */
export class FolderArchive implements Archive {
  private constructor(
    private readonly folder: string,
    private readonly drafts: string,
  ) {}

  static async open(folder: string): Promise<FolderArchive> {
    return new FolderArchive(folder, await openProcessFolder(join(folder, ".drafts")));
  }

  async storeFile(name: string, path: string): Promise<{ sha256: string; bytes: number }> {
    return this.write(this.pathOf(name), async (draft) => {
      await copyFile(path, draft);
      return digestFile(draft);
    });
  }

  async storeText(name: string, text: string): Promise<void> {
    await this.write(this.pathOf(name), (draft) => writeFile(draft, text));
  }

  async *list(prefix: string): AsyncGenerator<ArchivedFile> {
    for (const entry of await readdir(this.folder, { withFileTypes: true, recursive: true })) {
      const path = join(entry.parentPath, entry.name);
      const name = relative(this.folder, path).split(sep).join("/");
      if (!entry.isFile() || !name.startsWith(prefix) || name.startsWith(".")) continue;
      const found = await stat(path).catch(() => undefined);
      if (found) yield { name, bytes: found.size, modifiedAt: found.mtime };
    }
  }

  async read(name: string): Promise<Readable> {
    const handle = await open(this.pathOf(name)).catch((error: NodeJS.ErrnoException) => {
      throw error.code === "ENOENT" ? missingFile(name) : error;
    });
    return handle.createReadStream();
  }

  async remove(name: string): Promise<void> {
    await rm(this.pathOf(name), { force: true });
  }

  private async write<T>(target: string, fill: (draft: string) => Promise<T>): Promise<T> {
    const draft = join(this.drafts, randomUUID());
    try {
      const result = await fill(draft);
      await syncFile(draft);
      await mkdir(join(target, ".."), { recursive: true });
      await rename(draft, target);
      await syncFolder(join(target, ".."));
      return result;
    } finally {
      await rm(draft, { force: true });
    }
  }

  private pathOf(name: string): string {
    assertArchiveName(name);
    return join(this.folder, ...name.split("/"));
  }
}
