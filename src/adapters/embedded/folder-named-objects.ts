import { randomUUID } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import type { NamedObjects } from "../../ports/named-objects.js";
import { InvalidInputError } from "../../shared/errors.js";

const NAME = /^[a-z0-9][a-z0-9._-]*(\/[a-z0-9][a-z0-9._-]*)*$/;

/** Named objects as files of a folder. */
export class FolderNamedObjects implements NamedObjects {
  private constructor(
    private readonly folder: string,
    private readonly drafts: string,
  ) {}

  static async open(folder: string): Promise<FolderNamedObjects> {
    const drafts = join(folder, ".drafts");
    await rm(drafts, { recursive: true, force: true });
    await mkdir(drafts, { recursive: true });
    return new FolderNamedObjects(folder, drafts);
  }

  async write(name: string, content: Uint8Array): Promise<void> {
    const target = this.pathOf(name);
    const draft = join(this.drafts, randomUUID());
    await mkdir(dirname(target), { recursive: true });
    const file = await open(draft, "wx");
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, target);
  }

  async read(name: string): Promise<Buffer | undefined> {
    return readFile(this.pathOf(name)).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw error;
    });
  }

  async list(prefix: string): Promise<string[]> {
    const entries = await readdir(this.folder, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile() && !entry.parentPath.startsWith(this.drafts))
      .map((entry) => relative(this.folder, join(entry.parentPath, entry.name)).split(sep).join("/"))
      .filter((name) => name.startsWith(prefix))
      .sort();
  }

  async remove(name: string): Promise<void> {
    await rm(this.pathOf(name), { force: true });
  }

  private pathOf(name: string): string {
    if (!NAME.test(name)) {
      throw InvalidInputError.at("name", "must be of lower-case letters, digits and . _ - between slashes");
    }
    return join(this.folder, ...name.split("/"));
  }
}
