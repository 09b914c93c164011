import { stat } from "node:fs/promises";
import { digestFile } from "./verified-file.js";

/**
 * Compares files with the digest that names them: once in a process's life, and again when size, time of change or
 * inode differ from then. Reading a file that this remembers costs one `stat`.
 */
export class FileVerifier {
  private readonly verified = new Map<string, string>();

  /** Whether the file is there and has this content. */
  async holds(path: string, sha256: string): Promise<boolean> {
    const before = await identityOf(path);
    if (before === undefined) return false;
    if (this.verified.get(sha256) === before) return true;
    if ((await digestFile(path)).sha256 !== sha256) return false;
    this.verified.set(sha256, before);
    return true;
  }

  /** Remembers a file that has just been written and verified. */
  async remember(path: string, sha256: string): Promise<void> {
    const identity = await identityOf(path);
    if (identity !== undefined) this.verified.set(sha256, identity);
  }

  forget(sha256: string): void {
    this.verified.delete(sha256);
  }
}

/** Links to the file change nothing of it. */
async function identityOf(path: string): Promise<string | undefined> {
  try {
    const { ino, size, mtime } = await stat(path);
    return `${ino}:${size}:${mtime.getTime()}`;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
