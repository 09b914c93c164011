import { isCalendarDate } from "./calendar-date.js";
import { InvalidInputError } from "./errors.js";

export const DEFAULT_PAGE = 20;
export const LARGEST_PAGE = 100;

/** Keys of the last row of the page before, in the order of the query's ORDER BY. */
export type CursorKeys = (string | number)[];

export interface PageRequest {
  limit: number;
  after?: CursorKeys;
}

export interface PageItem<T> {
  item: T;
  keys: CursorKeys;
}

/** One page of a list that can grow. */
export interface Page<T> {
  items: PageItem<T>[];
  hasNextPage: boolean;
  hasPreviousPage: boolean;
  /** Counted only when a client asks for it. */
  totalCount: () => Promise<number>;
}

const LARGEST_INTEGER = 2 ** 31 - 1;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** What a key of a cursor may be: whatever else a client sends never reaches a query. */
const KEY_CHECKS = {
  text: (key: unknown) => typeof key === "string" && !key.includes("\0"),
  /** Of a column that the database numbers, as far as JavaScript counts. */
  position: (key: unknown) => Number.isSafeInteger(key),
  integer: (key: unknown) => Number.isInteger(key) && Math.abs(key as number) <= LARGEST_INTEGER,
  date: (key: unknown) => typeof key === "string" && isCalendarDate(key),
  instant: isInstant,
  uuid: (key: unknown) => typeof key === "string" && UUID.test(key),
};
export type CursorKeyType = keyof typeof KEY_CHECKS;

/** As `Date.toISOString` writes it. */
function isInstant(key: unknown): boolean {
  const time = typeof key === "string" ? Date.parse(key) : Number.NaN;
  return !Number.isNaN(time) && new Date(time).toISOString() === key && isCalendarDate(key.slice(0, 10));
}

/**
 * Checks the arguments of a connection.
 * @param keyTypes what the cursor of this list holds, in order
 * @throws {InvalidInputError} for a page size out of range or a cursor that is not one of this list
 */
export function toPageRequest(
  args: { first?: number | null; after?: string | null },
  keyTypes: readonly CursorKeyType[],
  defaultPage = DEFAULT_PAGE,
): PageRequest {
  const limit = args.first ?? defaultPage;
  if (limit < 0 || limit > LARGEST_PAGE) {
    throw InvalidInputError.at("first", `must be from 0 to ${LARGEST_PAGE}, not ${limit}`);
  }
  if (args.after == null) return { limit };
  return { limit, after: decodeCursor(args.after, keyTypes) };
}

export function encodeCursor(keys: CursorKeys): string {
  return Buffer.from(JSON.stringify(keys)).toString("base64url");
}

function decodeCursor(cursor: string, keyTypes: readonly CursorKeyType[]): CursorKeys {
  let keys: unknown;
  try {
    keys = JSON.parse(Buffer.from(cursor, "base64url").toString("utf8"));
  } catch {
    keys = undefined;
  }
  const wellFormed =
    Array.isArray(keys) &&
    keys.length === keyTypes.length &&
    keys.every((key, i) => KEY_CHECKS[keyTypes[i]!](key));
  if (!wellFormed) throw InvalidInputError.at("after", "is not a cursor of this list");
  return keys as CursorKeys;
}

/** A page out of `limit + 1` rows that were asked for. */
export function toPage<T>(
  rows: readonly T[],
  request: PageRequest,
  keysOf: (row: T) => CursorKeys,
  totalCount: () => Promise<number>,
): Page<T> {
  return {
    items: rows.slice(0, request.limit).map((item) => ({ item, keys: keysOf(item) })),
    hasNextPage: rows.length > request.limit,
    hasPreviousPage: request.after !== undefined,
    totalCount,
  };
}
