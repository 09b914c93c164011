import { createHash } from "node:crypto";
import { InvalidInputError } from "../../shared/errors.js";
import { encodeCursor, toPageRequest } from "../../shared/pagination.js";
import type { DocumentFilter } from "./document-filter.rules.js";

export type SearchMode = "HYBRID" | "SEMANTIC" | "LEXICAL";

const MOST_CHARACTERS = 10_000;
const MOST_FACETS = 10;
const DEFAULT_PAGE = 10;
/** How deep a ranking can be paged through. */
export const DEEPEST_RANK = 1_000;

const WHOLE = /^\d{1,18}$/;
const DIGEST_LENGTH = 16;

/** @throws {InvalidInputError} for a query of white space or beyond 10,000 characters */
export function assertQuery(query: string): void {
  if (query.trim() === "") throw InvalidInputError.at("input.query", "must not be empty or only white space");
  // Half of a pair of UTF-16 units is no character.
  if (query.length <= MOST_CHARACTERS) return;
  const characters = query.length > 2 * MOST_CHARACTERS ? query.length : [...query].length;
  if (characters > MOST_CHARACTERS) {
    throw InvalidInputError.at("input.query", `must have at most 10,000 characters, not ${characters}`);
  }
}

/** @returns each once @throws {InvalidInputError} for more than ten */
export function toFacetKeys(facets: readonly string[] | null | undefined): string[] {
  const keys = [...new Set(facets ?? [])];
  if (keys.length <= MOST_FACETS) return keys;
  throw InvalidInputError.at("input.facets", `must be at most ${MOST_FACETS} keys, not ${keys.length}`);
}

/** Tells a cursor of this search from those of others. */
export function searchDigest(search: {
  collectionId: number;
  query: string;
  mode: SearchMode;
  filter: DocumentFilter;
}): string {
  const { collectionId, query, mode, filter } = search;
  const text = JSON.stringify([collectionId, query, mode, filter]);
  return createHash("sha256").update(text).digest("base64url").slice(0, DIGEST_LENGTH);
}

/** What the first page saw: its successors rank the same documents by the same numbers while others come in. */
export interface Snapshot {
  /** Documents up to this id. */
  lastDocumentId: string;
  documentCount: number;
  wordCount: number;
}

/** Where a page begins. */
export interface SearchPosition {
  snapshot: Snapshot;
  /** Index whose vectors ranked the pages before; 0 when none did. */
  indexId: number;
  /** Results up to here have been seen, and the last of them. */
  rank: number;
  documentId: string;
}

export interface SearchPage {
  first: number;
  after?: SearchPosition;
}

/**
 * @param digest of the search that the cursor must belong to
 * @throws {InvalidInputError} naming `first` or `after`
 */
export function toSearchPage(
  args: { first?: number | null; after?: string | null },
  digest: string,
): SearchPage {
  const types = ["text", "integer", "text", "integer", "text", "integer", "text"] as const;
  const { limit: first, after } = toPageRequest(args, types, DEFAULT_PAGE);
  if (!after) return { first };
  const [ofSearch, indexId, lastDocumentId, documentCount, words, rank, documentId] = after as [
    ...[string, number, string, number, string, number, string],
  ];
  if (ofSearch !== digest) throw InvalidInputError.at("after", "is a cursor of another search");
  const sound = [lastDocumentId, words, documentId].every((text) => WHOLE.test(text));
  if (!sound || documentCount < 0 || rank < 1)
    throw InvalidInputError.at("after", "is not a cursor of this list");
  if (rank >= DEEPEST_RANK) {
    throw InvalidInputError.at("after", `is beyond the ${DEEPEST_RANK} results that can be paged through`);
  }
  const snapshot = { lastDocumentId, documentCount, wordCount: Number(words) };
  return { first, after: { snapshot, indexId, rank, documentId } };
}

export function toSearchCursor(digest: string, position: SearchPosition): string {
  const { snapshot, indexId, rank, documentId } = position;
  const { lastDocumentId, documentCount, wordCount } = snapshot;
  return encodeCursor([digest, indexId, lastDocumentId, documentCount, String(wordCount), rank, documentId]);
}
