import { createHash } from "node:crypto";
import { InvalidInputError } from "../../shared/errors.js";
import { assertStorableDate } from "./document-filter.rules.js";

/** As a client sends it. */
export interface DocumentRequest {
  key: string;
  title?: string | null;
  text: string;
  /** An object of JSON. */
  metadata?: unknown;
  publishedAt?: Date | null;
}

/** A document that may be stored. */
export interface IncomingDocument {
  key: string;
  title: string | null;
  text: string;
  metadata: Record<string, unknown>;
  publishedAt: Date | null;
  /** The digest of title and text, then that of metadata and date. */
  digest: string;
}

export const MOST_DOCUMENTS = 1000;
const LONGEST_KEY = 512;
const LONGEST_TITLE = 1000;
const LONGEST_TEXT = 500_000;
const MOST_METADATA_BYTES = 64 * 1024;
const MOST_METADATA_KEYS = 100;
const LONGEST_METADATA_KEY = 200;
const DEEPEST_METADATA = 10;

const CONTROL = /\p{Cc}/u;
/** Something to read: neither white space nor invisible. */
const VISIBLE = /[^\s\p{C}\p{Z}]/u;

/**
 * @param field where the documents stand, e.g. `input.documents`
 * @throws {InvalidInputError} naming the first document and field that is wrong
 */
export function readDocuments(requests: readonly DocumentRequest[], field: string): IncomingDocument[] {
  if (requests.length === 0 || requests.length > MOST_DOCUMENTS) {
    throw InvalidInputError.at(field, `needs 1 to ${MOST_DOCUMENTS} documents, not ${requests.length}`);
  }
  const seen = new Map<string, number>();
  return requests.map((request, i) => {
    const document = readDocument(request, `${field}.${i}`);
    const first = seen.get(document.key);
    if (first !== undefined) {
      throw InvalidInputError.at(`${field}.${i}.key`, `"${document.key}" is that of document ${first}, too`);
    }
    seen.set(document.key, i);
    return document;
  });
}

/** @throws {InvalidInputError} */
export function assertDocumentKey(key: string, field: string): void {
  if (key.length === 0 || key.length > LONGEST_KEY) {
    throw InvalidInputError.at(field, `must be 1 to ${LONGEST_KEY} characters long`);
  }
  if (CONTROL.test(key)) throw InvalidInputError.at(field, "must not contain control characters");
}

function readDocument(request: DocumentRequest, field: string): IncomingDocument {
  const { key, text } = request;
  assertDocumentKey(key, `${field}.key`);
  const title = readTitle(request.title, `${field}.title`);
  assertText(text, `${field}.text`);
  const metadata = readMetadata(request.metadata, `${field}.metadata`);
  const publishedAt = request.publishedAt ?? null;
  if (publishedAt) assertStorableDate(publishedAt, `${field}.publishedAt`);
  const digest =
    digestOf([title, text]) + digestOf([sorted(metadata), publishedAt ? publishedAt.toISOString() : null]);
  return { key, title, text, metadata, publishedAt, digest };
}

/** Whether title and text are the same, by two documents' digests. */
export function sameWords(digest: string, other: string): boolean {
  return digest.slice(0, digest.length / 2) === other.slice(0, other.length / 2);
}

/** A blank title is none. */
function readTitle(title: string | null | undefined, field: string): string | null {
  if (title == null || !VISIBLE.test(title)) return null;
  if (title.length > LONGEST_TITLE) {
    throw InvalidInputError.at(field, `has ${title.length} characters, ${LONGEST_TITLE} at most`);
  }
  return title;
}

function assertText(text: string, field: string): void {
  if (text.length > LONGEST_TEXT) {
    throw InvalidInputError.at(
      field,
      `has ${text.length} characters, ${LONGEST_TEXT} at most: send its chapters as documents`,
    );
  }
  if (!VISIBLE.test(text)) throw InvalidInputError.at(field, "must not be blank");
}

function readMetadata(metadata: unknown, field: string): Record<string, unknown> {
  if (metadata == null) return {};
  if (typeof metadata !== "object" || Array.isArray(metadata)) {
    throw InvalidInputError.at(field, 'must be an object such as {"commodity": "gas"}');
  }
  if (Object.keys(metadata).length > MOST_METADATA_KEYS) {
    throw InvalidInputError.at(field, `has more than ${MOST_METADATA_KEYS} keys`);
  }
  assertJson(metadata, field, 1);
  const bytes = Buffer.byteLength(JSON.stringify(metadata));
  if (bytes > MOST_METADATA_BYTES) {
    throw InvalidInputError.at(field, `has ${bytes} bytes, ${MOST_METADATA_BYTES} at most`);
  }
  return metadata as Record<string, unknown>;
}

/** @param depth of the value: 1 for the metadata itself */
function assertJson(value: unknown, field: string, depth: number): void {
  if (typeof value === "number" && !Number.isFinite(value)) {
    throw InvalidInputError.at(field, "has a number beyond what a double holds");
  }
  if (value === null || typeof value !== "object") return;
  if (depth > DEEPEST_METADATA) {
    throw InvalidInputError.at(field, `is nested deeper than ${DEEPEST_METADATA} levels`);
  }
  if (!Array.isArray(value)) Object.keys(value).forEach((key) => assertMetadataKey(key, field));
  for (const inner of Object.values(value)) assertJson(inner, field, depth + 1);
}

function assertMetadataKey(key: string, field: string): void {
  if (key.length === 0 || key.length > LONGEST_METADATA_KEY || CONTROL.test(key)) {
    const rule = `1 to ${LONGEST_METADATA_KEY} characters long, without control characters`;
    throw InvalidInputError.at(field, `has a key that is not ${rule}`);
  }
}

function digestOf(parts: readonly unknown[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}

/** Objects as their sorted pairs, so that equal metadata gives equal text. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  // As pairs: an object would put keys that look like numbers first, and lose __proto__.
  return { pairs: entries.map(([key, inner]) => [key, sorted(inner)]) };
}
