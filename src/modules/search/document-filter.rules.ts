import { InvalidInputError } from "../../shared/errors.js";

/** As a client asks for it. */
export interface DocumentFilterRequest {
  /** An object; each value a text, number, boolean or null, or a list of those. */
  metadata?: unknown;
  publishedFrom?: Date | null;
  publishedTo?: Date | null;
}

export type MetadataScalar = string | number | boolean | null;

/** Documents have for every key one of its values, and are published within the range, both ends included. */
export interface DocumentFilter {
  metadata: { key: string; values: MetadataScalar[] }[];
  publishedFrom: Date | null;
  publishedTo: Date | null;
}

export interface SqlCondition {
  /** Conditions joined by AND; `TRUE` when nothing is asked for. */
  sql: string;
  /** What the placeholders stand for, in their order. */
  parameters: unknown[];
}

const MOST_KEYS = 20;
const MOST_VALUES = 100;

/**
 * @param field where the request stands, e.g. `input.filter`
 * @throws {InvalidInputError} naming the part of the filter that is wrong
 */
export function toDocumentFilter(
  request: DocumentFilterRequest | null | undefined,
  field: string,
): DocumentFilter {
  const { metadata = null, publishedFrom = null, publishedTo = null } = request ?? {};
  if (publishedFrom) assertStorableDate(publishedFrom, `${field}.publishedFrom`);
  if (publishedTo) assertStorableDate(publishedTo, `${field}.publishedTo`);
  if (publishedFrom && publishedTo && publishedFrom > publishedTo) {
    throw InvalidInputError.at(`${field}.publishedTo`, "must not be before publishedFrom");
  }
  return { metadata: toConditions(metadata, `${field}.metadata`), publishedFrom, publishedTo };
}

/** PostgreSQL's calendar has no year 0, and ISO 8601 has no more than four digits for a year. */
export function assertStorableDate(date: Date, field: string): void {
  const year = date.getUTCFullYear();
  if (year < 1 || year > 9999) throw InvalidInputError.at(field, "must lie in the years 0001 to 9999");
}

function toConditions(metadata: unknown, field: string): DocumentFilter["metadata"] {
  if (metadata === null) return [];
  if (typeof metadata !== "object" || Array.isArray(metadata)) {
    throw InvalidInputError.at(field, 'must be an object such as {"commodity": "gas"}');
  }
  const entries = Object.entries(metadata);
  if (entries.length > MOST_KEYS) throw InvalidInputError.at(field, `has more than ${MOST_KEYS} keys`);
  return entries.map(([key, value]) => ({ key, values: toValues(value, `${field}.${key}`) }));
}

function toValues(value: unknown, field: string): MetadataScalar[] {
  if (!Array.isArray(value)) {
    if (isScalar(value)) return [value];
    throw InvalidInputError.at(field, "must be a text, a number, true, false or null, or a list of those");
  }
  if (value.length === 0 || value.length > MOST_VALUES) {
    throw InvalidInputError.at(field, `needs 1 to ${MOST_VALUES} values to choose from`);
  }
  return value.map((item: unknown, i) => {
    if (isScalar(item)) return item;
    throw InvalidInputError.at(`${field}.${i}`, "must be a text, a number, true, false or null");
  });
}

function isScalar(value: unknown): value is MetadataScalar {
  if (typeof value === "number") return Number.isFinite(value);
  return value === null || typeof value === "string" || typeof value === "boolean";
}

export function isUnfiltered({ metadata, publishedFrom, publishedTo }: DocumentFilter): boolean {
  return metadata.length === 0 && !publishedFrom && !publishedTo;
}

/**
 * The filter as a condition on `documents`.
 * @param table name or alias of `documents` in the statement
 * @param firstParameter number of the first placeholder, 1 for `$1`
 */
export function documentFilterSql(
  filter: DocumentFilter,
  table: string,
  firstParameter: number,
): SqlCondition {
  const conditions: string[] = [];
  const parameters: unknown[] = [];
  const bind = (value: unknown): string => `$${firstParameter + parameters.push(value) - 1}`;
  for (const { key, values } of filter.metadata) {
    // One containment a value: only these can use the index on metadata, `@> ANY(...)` cannot.
    const anyOf = values.map(
      (value) => `${table}.metadata @> ${bind(JSON.stringify({ [key]: value }))}::jsonb`,
    );
    conditions.push(`(${anyOf.join(" OR ")})`);
  }
  if (filter.publishedFrom) conditions.push(`${table}.published_at >= ${bind(filter.publishedFrom)}`);
  if (filter.publishedTo) conditions.push(`${table}.published_at <= ${bind(filter.publishedTo)}`);
  return { sql: conditions.join(" AND ") || "TRUE", parameters };
}
