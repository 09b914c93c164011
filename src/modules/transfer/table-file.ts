import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { Readable, pipeline as pipe } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createGzip } from "node:zlib";
import { PreconditionFailedError } from "../../shared/errors.js";
import { linesOf } from "../../shared/byte-lines.js";

/** PostgreSQL's own limit of a value; what is longer was not written by an export. */
const LONGEST_LINE = 2 ** 30;

/** Counts lines and digests them, each with its line feed. */
export class LineDigest {
  rows = 0;
  private readonly hash = createHash("sha256");

  add(line: string): void {
    this.rows += 1;
    this.hash.update(line).update("\n");
  }

  /** Hex SHA-256; call it once, at the end. */
  end(): string {
    return this.hash.digest("hex");
  }
}

/** Writes rows, a line each, gzipped; the file is durable when this ends. */
export async function writeTableFile(
  path: string,
  pages: AsyncIterable<readonly string[]>,
): Promise<{ rows: number; sha256: string }> {
  const digest = new LineDigest();
  const text = async function* (): AsyncGenerator<string> {
    for await (const page of pages) {
      for (const line of page) digest.add(line);
      yield page.map((line) => `${line}\n`).join("");
    }
  };
  await pipeline(Readable.from(text()), createGzip(), createWriteStream(path, { flags: "wx", flush: true }));
  return { rows: digest.rows, sha256: digest.end() };
}

/** @throws {PreconditionFailedError} when the file is missing or damaged */
export async function* readTableFile(path: string): AsyncGenerator<string> {
  const content = createGunzip();
  pipe(createReadStream(path), content, () => undefined);
  try {
    for await (const line of linesOf(content, LONGEST_LINE)) yield line.toString("utf8");
  } catch (error) {
    const { code = "", message } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT" && !code.startsWith("Z_")) throw error;
    throw new PreconditionFailedError(`${path}: ${message}`, { cause: error });
  }
}
