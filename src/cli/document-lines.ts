import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { pipeline } from "node:stream";
import type { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { linesOf } from "../shared/byte-lines.js";
import type { DocumentInput } from "./collection-operations.js";
import { CommandFailure } from "./command-failure.js";

/** A document and where it stands. */
export interface DocumentLine {
  document: DocumentInput;
  line: number;
  /** Of the document as JSON. */
  bytes: number;
}

/** A file of documents, a line of JSON each, read as it is asked for. */
export interface DocumentSource {
  lines: AsyncIterable<DocumentLine>;
  /** 0 to 1, how much of it has been read; undefined where its end is not known. */
  share(): number | undefined;
}

/** No document is larger than a request may be. */
const LONGEST_LINE = 4 * 1024 * 1024;
const FIELDS = ["key", "title", "text", "metadata", "publishedAt"];

/** @param path of the file, gzipped where it ends in .gz; `-` for standard input */
export async function openDocuments(path: string): Promise<DocumentSource> {
  if (path === "-")
    return { lines: documentsOf(linesOf(process.stdin, LONGEST_LINE)), share: () => undefined };
  const { size } = await stat(path);
  const file = createReadStream(path);
  const content = path.endsWith(".gz") ? unzipped(file) : file;
  return {
    lines: documentsOf(linesOf(content, LONGEST_LINE)),
    share: () => (size === 0 ? 1 : file.bytesRead / size),
  };
}

/** What goes wrong with the file ends the stream that is read from. */
function unzipped(file: Readable): Readable {
  const unzip = createGunzip();
  pipeline(file, unzip, () => undefined);
  return unzip;
}

async function* documentsOf(lines: AsyncIterable<Buffer>): AsyncGenerator<DocumentLine> {
  let line = 0;
  for await (const bytes of lines) {
    line++;
    const text = decode(bytes, line).replace(/^\ufeff/, "");
    if (text.trim() !== "") yield { document: parse(text, line), line, bytes: bytes.length };
  }
}

function decode(bytes: Buffer, line: number): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw faulty(line, "is not UTF-8");
  }
}

function parse(text: string, line: number): DocumentInput {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw faulty(line, `is not JSON: ${(error as Error).message}`);
  }
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    throw faulty(line, 'must be an object such as {"key": "a", "text": "..."}');
  }
  const { _id, ...fields } = value as Record<string, unknown>;
  const key = fields.key ?? _id;
  if (typeof key !== "string" && typeof key !== "number") throw faulty(line, 'needs a "key"');
  if (typeof fields.text !== "string") throw faulty(line, 'needs a "text"');
  const unknown = Object.keys(fields).find((name) => !FIELDS.includes(name));
  if (unknown !== undefined) {
    throw faulty(line, `has "${unknown}", which a document has not; put it into "metadata"`);
  }
  return { ...fields, key: String(key), text: fields.text };
}

export function faulty(line: number, rule: string): CommandFailure {
  return new CommandFailure("INVALID_INPUT", `line ${line} ${rule}`, `line ${line}`);
}
