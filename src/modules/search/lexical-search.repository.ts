import type { Transaction } from "../../ports/database.js";
import { B, K1, extrapolateDocuments, planTerms } from "./bm25.rules.js";
import type { QueryTerm, TermPlan, WeightedTerm } from "./bm25.rules.js";
import { SqlParameters, listedSql, passesSql } from "./search-scope.js";
import type { SearchScope } from "./search-scope.js";
import type { Snapshot } from "./search-request.rules.js";

export interface LexicalHit {
  documentId: string;
  /** BM25. */
  score: number;
}

export interface LexicalRanking {
  hits: LexicalHit[];
  /** Whether words were so common that documents without a rarer one may have been passed over. */
  pruned: boolean;
}

/** Postings that a ranking reads, some 50 ms on a server; beyond, common words only add to the scores of others. */
const POSTINGS_BUDGET = 50_000;
/** Postings that are counted of one word; beyond, the number is extrapolated. */
const COUNTED = 10_000;
/** Words of a query that count, the rarest first: a long text has little to gain from its commonest. */
const MOST_TERMS = 64;
/** Documents whose scores the common words complete. */
const COMPLETED = 2_000;

/** Ranks the documents of a collection by BM25 over its postings. */
export class LexicalSearchRepository {
  constructor(
    private readonly tx: Transaction,
    private readonly collectionId: number,
    private readonly snapshot: Snapshot,
  ) {}

  /** How the words of a query are looked up. */
  async plan(lexemes: readonly string[]): Promise<TermPlan> {
    if (lexemes.length === 0) return { leading: [], common: [], commonMost: 0 };
    const rows = await this.tx.query<{ lexeme: string; count: number; first: string; last: string }[]>(
      `SELECT l.lexeme, p.count, p.first, p.last FROM unnest($2::text[]) AS l(lexeme),
         LATERAL (SELECT count(*)::int, min(document_id) AS first, max(document_id) AS last FROM
           (SELECT document_id FROM postings WHERE collection_id = $1 AND lexeme = l.lexeme AND document_id <= $3
            ORDER BY document_id LIMIT $4) found) p`,
      [this.collectionId, lexemes, this.snapshot.lastDocumentId, COUNTED],
    );
    const total = this.snapshot.documentCount;
    const terms = rows.map((row): QueryTerm => ({ lexeme: row.lexeme, documents: this.documentsOf(row) }));
    const rarest = terms.filter(({ documents }) => documents > 0).sort((a, b) => a.documents - b.documents);
    return planTerms(rarest.slice(0, MOST_TERMS), total, POSTINGS_BUDGET);
  }

  /** The best documents, ties in the order in which they came in. */
  async best(plan: TermPlan, limit: number, scope: SearchScope): Promise<LexicalRanking> {
    if (plan.leading.length === 0) return { hits: [], pruned: false };
    if (plan.common.length === 0 && plan.leading[0]!.documents <= POSTINGS_BUDGET) {
      return { hits: await this.ranked(plan.leading, limit, scope), pruned: false };
    }
    return this.rankedByLeading(plan, limit, scope);
  }

  /** The scores of these documents; none for those that hold no word. */
  async scores(plan: TermPlan, documentIds: readonly string[]): Promise<Map<string, number>> {
    if (documentIds.length === 0 || plan.leading.length === 0) return new Map();
    const parameters = new SqlParameters();
    const rows = await this.tx.query<{ id: string; score: number }[]>(
      `SELECT p.document_id AS id, ${this.sumOf("t", parameters)} AS score
       FROM unnest(${parameters.add(documentIds)}::bigint[]) AS d(id), ${termsSql([...plan.leading, ...plan.common], parameters)}
         JOIN postings p ON p.collection_id = ${parameters.add(this.collectionId)} AND p.lexeme = t.lexeme
       WHERE p.document_id = d.id GROUP BY p.document_id`,
      parameters.values,
    );
    return new Map(rows.map(({ id, score }) => [id, score]));
  }

  /** SQL of the ids of documents that hold a word, each once: of every word the newest ones, up to a limit. */
  matchesSql(plan: TermPlan, limit: number, scope: SearchScope, parameters: SqlParameters): string {
    return `SELECT DISTINCT p.document_id AS id
      FROM unnest(${parameters.add([...plan.leading, ...plan.common].map(({ lexeme }) => lexeme))}::text[]) AS t(lexeme),
        LATERAL (${this.newestSql("t", limit, scope, parameters)}) p`;
  }

  /**
   * Reads the words' postings one after the other and keeps what the scope lists: `+ 0`, since the planner would
   * rather read all postings of the listed documents, some ten times as many.
   */
  private async ranked(
    terms: readonly WeightedTerm[],
    limit: number,
    scope: SearchScope,
  ): Promise<LexicalHit[]> {
    const parameters = new SqlParameters();
    const rows = await this.tx.query<{ id: string; score: number }[]>(
      `SELECT id, score FROM (
         SELECT p.document_id AS id, ${this.sumOf("t", parameters)} AS score
         FROM ${termsSql(terms, parameters)}
           JOIN postings p ON p.collection_id = ${parameters.add(this.collectionId)} AND p.lexeme = t.lexeme
             AND p.document_id <= ${parameters.add(this.snapshot.lastDocumentId)}
             AND ${listedSql(scope, "(p.document_id + 0)", parameters)}
         GROUP BY p.document_id ORDER BY score DESC, id OFFSET 0) r
       WHERE ${passesSql(scope, "r.id", parameters)} LIMIT ${parameters.add(limit)}`,
      parameters.values,
    );
    return rows.map(({ id, score }) => ({ documentId: id, score }));
  }

  /** Ranks the documents that hold a rarer word; whether others could be better can be told from the scores. */
  private async rankedByLeading(plan: TermPlan, limit: number, scope: SearchScope): Promise<LexicalRanking> {
    const parameters = new SqlParameters();
    const completed = Math.max(COMPLETED, limit);
    const rows = await this.tx.query<{ id: string; score: number; least: number }[]>(
      `WITH led AS MATERIALIZED (
         SELECT id, score FROM (
           SELECT p.document_id AS id, ${this.sumOf("t", parameters)} AS score
           FROM ${termsSql(plan.leading, parameters)},
             LATERAL (${this.newestSql("t", POSTINGS_BUDGET, scope, parameters)}) p
           GROUP BY p.document_id ORDER BY score DESC, id OFFSET 0) r
         WHERE ${passesSql(scope, "r.id", parameters)} LIMIT ${parameters.add(completed)}),
       added AS (
         SELECT p.document_id AS id, ${this.sumOf("t", parameters)} AS score
         FROM led CROSS JOIN ${termsSql(plan.common, parameters)}
           JOIN postings p ON p.collection_id = ${parameters.add(this.collectionId)}
             AND p.lexeme = t.lexeme AND p.document_id = led.id
         GROUP BY p.document_id)
       SELECT id, (led.score + coalesce(added.score, 0))::real AS score,
         (CASE WHEN (SELECT count(*) FROM led) < ${parameters.add(completed)} THEN 0
               ELSE (SELECT min(led.score) FROM led) END)::real AS least
       FROM led LEFT JOIN added USING (id) ORDER BY score DESC, id LIMIT ${parameters.add(limit)}`,
      parameters.values,
    );
    const cut = plan.leading[0]!.documents > POSTINGS_BUDGET;
    const reachable = (rows[0]?.least ?? 0) + plan.commonMost;
    const pruned = cut || rows.length < limit || rows.at(-1)!.score < reachable;
    return { hits: rows.map(({ id, score }) => ({ documentId: id, score })), pruned };
  }

  /** The newest postings of a word. */
  private newestSql(terms: string, limit: number, scope: SearchScope, parameters: SqlParameters): string {
    return `SELECT document_id, frequency, document_length FROM postings
      WHERE collection_id = ${parameters.add(this.collectionId)} AND lexeme = ${terms}.lexeme
        AND document_id <= ${parameters.add(this.snapshot.lastDocumentId)}
        AND ${listedSql(scope, "document_id", parameters)}
      ORDER BY document_id DESC LIMIT ${parameters.add(limit)}`;
  }

  /** As float4: sums of the same terms in another order are the same score. */
  private sumOf(terms: string, parameters: SqlParameters): string {
    const { wordCount, documentCount } = this.snapshot;
    const length = parameters.add(Math.max(1, wordCount / Math.max(1, documentCount)));
    return `sum(${terms}.idf * p.frequency * ${K1 + 1}
      / (p.frequency + ${K1} * (${1 - B} + ${B} * p.document_length / ${length}::float8)))::real`;
  }

  private documentsOf(row: { count: number; first: string; last: string }): number {
    if (row.count < COUNTED) return row.count;
    const { lastDocumentId, documentCount } = this.snapshot;
    const ids = { firstId: Number(row.first), countedToId: Number(row.last), lastId: Number(lastDocumentId) };
    return extrapolateDocuments(row.count, ids, documentCount);
  }
}

function termsSql(terms: readonly WeightedTerm[], parameters: SqlParameters): string {
  const lexemes = parameters.add(terms.map(({ lexeme }) => lexeme));
  const idfs = parameters.add(terms.map(({ idf }) => idf));
  return `unnest(${lexemes}::text[], ${idfs}::float8[]) AS t(lexeme, idf)`;
}
