import type { Transaction } from "../../ports/database.js";
import type { SqlParameters } from "./search-scope.js";
import { filterSql } from "./search-scope.js";
import type { SearchScope } from "./search-scope.js";

export interface Facet {
  key: string;
  /** The most frequent first. */
  values: { value: string; count: number }[];
}

const MOST_VALUES = 100;

/** Counts metadata over documents. */
export class FacetRepository {
  constructor(private readonly tx: Transaction) {}

  /**
   * @param matches SQL of the documents' ids, as `id`, with its parameters
   * @returns in the order of the keys; a list counts for each of its values
   */
  async count(
    keys: readonly string[],
    matches: string,
    parameters: SqlParameters,
    scope: SearchScope,
  ): Promise<Facet[]> {
    const filter = scope.kind === "filtered" ? filterSql(scope.filter, parameters) : "TRUE";
    const rows = await this.tx.query<{ key: string; value: string; count: number }[]>(
      `SELECT key, value, count FROM (
         SELECT k.key, v.item #>> '{}' AS value, count(DISTINCT d.id)::int AS count,
           row_number() OVER (PARTITION BY k.key ORDER BY count(DISTINCT d.id) DESC, v.item #>> '{}') AS place
         FROM (${matches}) m JOIN documents d ON d.id = m.id AND ${filter}
           CROSS JOIN unnest(${parameters.add(keys)}::text[]) AS k(key),
           LATERAL jsonb_array_elements(CASE jsonb_typeof(d.metadata -> k.key)
             WHEN 'array' THEN d.metadata -> k.key ELSE jsonb_build_array(d.metadata -> k.key) END) AS v(item)
         WHERE d.metadata ? k.key AND v.item <> 'null'::jsonb
         GROUP BY k.key, v.item) counted
       WHERE place <= ${parameters.add(MOST_VALUES)} ORDER BY key, place`,
      parameters.values,
    );
    const values = new Map<string, Facet["values"]>(keys.map((key) => [key, []]));
    for (const { key, value, count } of rows) values.get(key)!.push({ value, count });
    return keys.map((key) => ({ key, values: values.get(key)! }));
  }
}
