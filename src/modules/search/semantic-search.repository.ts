import type { Transaction } from "../../ports/database.js";
import { compareIds } from "./fusion.rules.js";
import { distanceTo, passageTable, toVectorParameter } from "./passage-table.js";
import { SqlParameters, filterSql, listedSql, passesSql } from "./search-scope.js";
import type { SearchScope } from "./search-scope.js";
import type { SearchIndexRow } from "./search-index.entity.js";

/** The passage of a document that is nearest to a query. */
export interface SemanticHit {
  documentId: string;
  ordinal: number;
  /** UTF-16 offsets into the document's text. */
  start: number;
  end: number;
  /** Cosine. */
  score: number;
}

export interface SemanticRanking {
  hits: SemanticHit[];
  strategy: "exact" | "hnsw" | "hnsw-iterative";
}

interface PassageHit extends Omit<SemanticHit, "score"> {
  distance: number;
}

/** Of hnsw.ef_search. */
const MOST_EFFORT = 1_000;
/** More passages than documents wanted are asked for at once, since some are of the same document. */
const SPARE_PASSAGES = 1.25;
const SPARE_GROWTH = 4;

/** Ranks the documents of one index by the meaning of their passages. */
export class SemanticSearchRepository {
  private readonly table: string;

  /** @param lastDocumentId documents up to this id */
  constructor(
    private readonly tx: Transaction,
    private readonly index: Pick<SearchIndexRow, "id" | "dimensions" | "vectorType" | "efSearch">,
    private readonly lastDocumentId: string,
  ) {
    this.table = passageTable(index.id);
  }

  /**
   * The documents with the nearest passages, best first.
   * @param vector of unit length
   */
  async nearest(vector: Float32Array, limit: number, scope: SearchScope): Promise<SemanticRanking> {
    const query = toVectorParameter(vector);
    const approximate = this.index.efSearch !== null && scope.kind !== "listed";
    if (approximate) {
      const hits = await this.distinct(limit, (passages) => this.byIndex(query, passages, scope));
      const strategy = scope.kind === "filtered" ? "hnsw-iterative" : "hnsw";
      if (hits.length >= limit) return { hits: hits.slice(0, limit), strategy };
    }
    // An iterative scan gives up after a number of rows, so fewer than asked for is no proof that there are no more.
    const hits = await this.distinct(limit, (passages) => this.exactly(query, passages, scope));
    return { hits: hits.slice(0, limit), strategy: "exact" };
  }

  /** The best passage of each of these documents; none for those that are not embedded yet. */
  async ofDocuments(vector: Float32Array, documentIds: readonly string[]): Promise<SemanticHit[]> {
    if (documentIds.length === 0) return [];
    const distance = distanceTo("$1", this.index);
    const rows = await this.tx.query<PassageHit[]>(
      `SELECT DISTINCT ON (document_id) ${PASSAGE}, ${distance} AS distance FROM ${this.table}
       WHERE document_id = ANY($2::bigint[]) ORDER BY document_id, distance, ordinal`,
      [toVectorParameter(vector), documentIds],
    );
    return rows.map(toHit);
  }

  /** Inner products of each passage with those of the leaders, weighted and added. */
  async likeness(
    passages: readonly Pick<SemanticHit, "documentId" | "ordinal">[],
    leaders: readonly { documentId: string; ordinal: number; weight: number }[],
  ): Promise<Map<string, number>> {
    const rows = await this.tx.query<{ id: string; likeness: number }[]>(
      `SELECT p.document_id AS id, -sum(l.weight * (p.embedding <#> l.embedding)) AS likeness
       FROM unnest($1::bigint[], $2::int[]) AS c(id, ordinal)
         JOIN ${this.table} p ON p.document_id = c.id AND p.ordinal = c.ordinal
         CROSS JOIN (SELECT w.weight, t.embedding FROM unnest($3::bigint[], $4::int[], $5::float8[]) AS w(id, ordinal, weight)
           JOIN ${this.table} t ON t.document_id = w.id AND t.ordinal = w.ordinal) l
       GROUP BY p.document_id`,
      [
        passages.map(({ documentId }) => documentId),
        passages.map(({ ordinal }) => ordinal),
        leaders.map(({ documentId }) => documentId),
        leaders.map(({ ordinal }) => ordinal),
        leaders.map(({ weight }) => weight),
      ],
    );
    return new Map(rows.map(({ id, likeness }) => [id, likeness]));
  }

  /** Asks for passages until they are of enough documents, or there are no more. */
  private async distinct(
    limit: number,
    nearestPassages: (passages: number) => Promise<PassageHit[]>,
  ): Promise<SemanticHit[]> {
    for (let passages = Math.ceil(limit * SPARE_PASSAGES); ; passages *= SPARE_GROWTH) {
      const rows = await nearestPassages(passages);
      const best = new Map<string, PassageHit>();
      for (const row of rows) if (!best.has(row.documentId)) best.set(row.documentId, row);
      if (best.size >= limit || rows.length < passages) {
        return [...best.values()]
          .map(toHit)
          .sort((a, b) => b.score - a.score || compareIds(a.documentId, b.documentId));
      }
    }
  }

  /**
   * By the HNSW index. What it reads ahead is set by the statement itself, in subqueries without a row: they run
   * once, before the scan, and cost no round trip.
   */
  private byIndex(query: Buffer, passages: number, scope: SearchScope): Promise<PassageHit[]> {
    const parameters = new SqlParameters();
    const effort = Math.min(MOST_EFFORT, Math.max(this.index.efSearch!, passages));
    const distance = distanceTo(parameters.add(query), this.index);
    return this.tx.query<PassageHit[]>(
      `SELECT ${PASSAGE}, ${distance} AS distance FROM ${this.table}
       WHERE (SELECT set_config('hnsw.ef_search', ${parameters.add(String(effort))}, true)) <> ''
         AND (SELECT set_config('hnsw.iterative_scan', 'strict_order', true)) <> ''
         AND document_id <= ${parameters.add(this.lastDocumentId)}
         AND ${passesSql(scope, "document_id", parameters)}
       ORDER BY ${distance} LIMIT ${parameters.add(passages)}`,
      parameters.values,
    );
  }

  /** Row by row: no index can order by an expression around the distance. */
  private exactly(query: Buffer, passages: number, scope: SearchScope): Promise<PassageHit[]> {
    const parameters = new SqlParameters();
    const distance = distanceTo(parameters.add(query), this.index);
    const joined = scope.kind === "filtered" ? "JOIN documents d ON d.id = document_id" : "";
    const filter = scope.kind === "filtered" ? filterSql(scope.filter, parameters) : "TRUE";
    return this.tx.query<PassageHit[]>(
      `SELECT ${PASSAGE}, (${distance}) + 0 AS distance FROM ${this.table} ${joined}
       WHERE document_id <= ${parameters.add(this.lastDocumentId)}
         AND ${listedSql(scope, "document_id", parameters)} AND ${filter}
       ORDER BY distance LIMIT ${parameters.add(passages)}`,
      parameters.values,
    );
  }
}

const PASSAGE = `document_id AS "documentId", ordinal, start_at AS start, end_at AS "end"`;

function toHit({ distance, ...hit }: PassageHit): SemanticHit {
  return { ...hit, score: -distance };
}

/** SQLSTATE 42P01: the table of an index that was replaced and dropped. */
export function isUndefinedTable(error: unknown): boolean {
  return (error as { driverError?: { code?: unknown } } | null)?.driverError?.code === "42P01";
}
