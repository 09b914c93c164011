import type { Transaction } from "../../ports/database.js";
import { documentFilterSql, isUnfiltered } from "./document-filter.rules.js";
import type { DocumentFilter } from "./document-filter.rules.js";

/** Which documents a search is about, by what is cheapest to ask. */
export type SearchScope =
  | { kind: "all" }
  /** So few that they are listed. */
  | { kind: "listed"; documentIds: string[] }
  | { kind: "filtered"; filter: DocumentFilter };

/** Values of a statement's placeholders. */
export class SqlParameters {
  readonly values: unknown[] = [];

  /** @returns its placeholder */
  add(value: unknown): string {
    return `$${this.values.push(value)}`;
  }
}

/** @param most documents that are worth listing */
export async function findScope(
  tx: Transaction,
  search: { collectionId: number; filter: DocumentFilter },
  most: number,
): Promise<SearchScope> {
  const { collectionId, filter } = search;
  if (isUnfiltered(filter)) return { kind: "all" };
  const { sql, parameters } = documentFilterSql(filter, "documents", 3);
  const rows = await tx.query<{ id: string }[]>(
    `SELECT id FROM documents WHERE collection_id = $1 AND ${sql} LIMIT $2`,
    [collectionId, most + 1, ...parameters],
  );
  if (rows.length > most) return { kind: "filtered", filter };
  return { kind: "listed", documentIds: rows.map(({ id }) => id) };
}

/** Keeps a statement to the documents that are listed, where they are. @param column of document ids */
export function listedSql(scope: SearchScope, column: string, parameters: SqlParameters): string {
  return scope.kind === "listed" ? `${column} = ANY(${parameters.add(scope.documentIds)}::bigint[])` : "TRUE";
}

/**
 * Asks of one document after the other whether it passes the filter, where there is one: for rows that come best
 * first, of which only the first are wanted. A scalar subquery, which the planner cannot turn into a join of all.
 */
export function passesSql(scope: SearchScope, column: string, parameters: SqlParameters): string {
  if (scope.kind !== "filtered") return "TRUE";
  return `(SELECT ${filterSql(scope.filter, parameters)} FROM documents d WHERE d.id = ${column})`;
}

/** The filter as a condition on `documents d`. */
export function filterSql(filter: DocumentFilter, parameters: SqlParameters): string {
  const condition = documentFilterSql(filter, "d", parameters.values.length + 1);
  parameters.values.push(...condition.parameters);
  return condition.sql;
}
