import { In, IsNull } from "typeorm";
import type { Transaction } from "../../ports/database.js";
import { createPassageTable, dropPassageTable, passageTable } from "./passage-table.js";
import type { DocumentRange } from "./document.repository.js";
import { SearchIndexRow } from "./search-index.entity.js";
import type { VectorType } from "./search-index.entity.js";

export interface NewSearchIndex {
  collectionId: number;
  versionId: string;
  dimensions: number;
  vectorType: VectorType;
  jobId: string | null;
  /** See `SearchIndexRow`; from the first document on by default. */
  filledTo?: string;
}

/** The indexes of collections; who changes one holds the collection's lock. */
export class SearchIndexRepository {
  constructor(private readonly tx: Transaction) {}

  /** Those that get every document that comes in: BUILDING, SERVING and KEPT ones, oldest first. */
  standing(collectionId: number): Promise<SearchIndexRow[]> {
    return this.tx
      .createQueryBuilder(SearchIndexRow, "index")
      .where("index.collectionId = :collectionId AND index.state <> 'DISCARDED'", { collectionId })
      .orderBy("index.id")
      .getMany();
  }

  find(id: number): Promise<SearchIndexRow | null> {
    return this.tx.findOneBy(SearchIndexRow, { id });
  }

  /** The index that a reindex builds, completes or has put into service. */
  ofJob(jobId: string): Promise<SearchIndexRow | null> {
    return this.tx.findOneBy(SearchIndexRow, { jobId });
  }

  /** The indexes that answer searches now, by the ids of their collections. */
  async servingOf(collectionIds: readonly number[]): Promise<Map<number, SearchIndexRow>> {
    const rows = await this.tx
      .createQueryBuilder(SearchIndexRow, "index")
      .innerJoin("index.collection", "collection", "collection.servingIndexId = index.id")
      .where("collection.id = ANY(:collectionIds)", { collectionIds })
      .getMany();
    return new Map(rows.map((row) => [row.collectionId, row]));
  }

  /** A new index, BUILDING and empty, with its table. */
  async insert(index: NewSearchIndex): Promise<SearchIndexRow> {
    const { identifiers } = await this.tx.insert(SearchIndexRow, {
      filledTo: "0",
      ...index,
      state: "BUILDING",
    });
    const row = await this.tx.findOneByOrFail(SearchIndexRow, { id: identifiers[0]!.id as number });
    await createPassageTable(this.tx, row);
    return row;
  }

  async update(index: SearchIndexRow, changes: Partial<SearchIndexRow>): Promise<void> {
    Object.assign(index, changes);
    await this.tx.update(SearchIndexRow, index.id, changes as never);
  }

  /** Nothing is embedded into it any more; `drop` takes the rest away. */
  async discard(index: SearchIndexRow): Promise<void> {
    await this.update(index, { state: "DISCARDED", jobId: null });
  }

  discarded(): Promise<SearchIndexRow[]> {
    return this.tx.find(SearchIndexRow, { where: { state: "DISCARDED" }, order: { id: "ASC" } });
  }

  /** Those that are read row by row, and that nobody has built an HNSW index for. */
  unindexed(): Promise<SearchIndexRow[]> {
    return this.tx.find(SearchIndexRow, {
      where: { state: In(["SERVING", "KEPT"]), efSearch: IsNull(), hnswJobId: IsNull() },
      order: { id: "ASC" },
    });
  }

  /** Versions that standing indexes were embedded by. */
  async versionsInUse(): Promise<Set<string>> {
    const rows = await this.tx.query<{ version_id: string }[]>(
      "SELECT DISTINCT version_id FROM search_indexes WHERE state <> 'DISCARDED'",
    );
    return new Set(rows.map((row) => row.version_id));
  }

  /** Kept ones whose way back nobody has gone since. */
  keptSinceBefore(time: Date): Promise<SearchIndexRow[]> {
    return this.tx
      .createQueryBuilder(SearchIndexRow, "index")
      .where("index.state = 'KEPT' AND index.retiredAt < :time", { time })
      .getMany();
  }

  /** @returns how many pending embeddings of the index it has forgotten */
  async forgetPending(indexId: number, limit: number): Promise<number> {
    const [, count] = await this.tx.query<[unknown, number]>(
      `DELETE FROM pending_embeddings WHERE index_id = $1 AND document_id IN
         (SELECT document_id FROM pending_embeddings WHERE index_id = $1 LIMIT $2)`,
      [indexId, limit],
    );
    return count;
  }

  /** Removes a discarded index with its table. */
  async drop(indexId: number): Promise<void> {
    await dropPassageTable(this.tx, indexId);
    await this.tx.delete(SearchIndexRow, { id: indexId });
  }

  /**
   * Notes the next documents of the collection as pending, and how far that has come.
   * @returns whether all have been noted
   */
  async fill(index: SearchIndexRow, jobId: string, documents: number): Promise<boolean> {
    const [page] = await this.tx.query<{ last: string | null; count: number }[]>(
      `WITH page AS
         (SELECT id FROM documents WHERE collection_id = $2 AND id > $3 ORDER BY id LIMIT $5),
       noted AS (INSERT INTO pending_embeddings (index_id, document_id, job_id)
         SELECT $1, id, $4 FROM page ON CONFLICT DO NOTHING)
       SELECT max(id) AS last, count(*)::int AS count FROM page`,
      [index.id, index.collectionId, index.filledTo, jobId, documents],
    );
    const { last, count } = page!;
    await this.update(index, { filledTo: count < documents ? null : last });
    return index.filledTo === null;
  }

  /**
   * Notes documents of a range as pending, but those that are in the index.
   * @returns how far that has come; null: to its end
   */
  async fillRange(
    index: SearchIndexRow,
    jobId: string,
    { after, to }: DocumentRange,
    documents: number,
  ): Promise<string | null> {
    const [page] = await this.tx.query<{ last: string | null; count: number }[]>(
      `WITH page AS (SELECT id FROM documents
         WHERE collection_id = $2 AND id > $3 AND id <= $4 ORDER BY id LIMIT $6),
       noted AS (INSERT INTO pending_embeddings (index_id, document_id, job_id)
         SELECT $1, id, $5 FROM page
         WHERE NOT EXISTS (SELECT FROM ${passageTable(index.id)} p WHERE p.document_id = page.id)
         ON CONFLICT DO NOTHING)
       SELECT max(id) AS last, count(*)::int AS count FROM page`,
      [index.id, index.collectionId, after, to, jobId, documents],
    );
    const { last, count } = page!;
    return count < documents ? null : last;
  }

  /**
   * How many documents the index lacks that the one that serves has. What is pending in both hides nothing that
   * could be found before.
   */
  async countMissing(indexId: number, servingId: number | null): Promise<number> {
    const [row] = await this.tx.query<{ count: number }[]>(
      `SELECT count(*)::int AS count FROM pending_embeddings p WHERE index_id = $1 AND NOT EXISTS
         (SELECT FROM pending_embeddings s WHERE s.index_id = $2 AND s.document_id = p.document_id)`,
      [indexId, servingId],
    );
    return row!.count;
  }

  /**
   * Gives the job what it must embed before the index may serve.
   * @returns how many documents these are
   */
  async claimMissing(indexId: number, servingId: number | null, jobId: string): Promise<number> {
    const [, count] = await this.tx.query<[unknown, number]>(
      `UPDATE pending_embeddings p SET job_id = $3 WHERE index_id = $1 AND NOT EXISTS
         (SELECT FROM pending_embeddings s WHERE s.index_id = $2 AND s.document_id = p.document_id)`,
      [indexId, servingId, jobId],
    );
    return count;
  }

  /** Leaves what is pending in both indexes to the jobs that embed it into the other. */
  async handOver(indexId: number, servingId: number): Promise<void> {
    await this.tx.query(
      `UPDATE pending_embeddings p SET job_id = s.job_id FROM pending_embeddings s
       WHERE p.index_id = $1 AND s.index_id = $2 AND s.document_id = p.document_id`,
      [indexId, servingId],
    );
  }

  /**
   * Notes as pending what is neither in the index nor pending. No document should be that, but those without a
   * word that the embedder knows.
   * @returns how many there were
   */
  async noteAbsent(index: SearchIndexRow, jobId: string): Promise<number> {
    const rows = await this.tx.query<unknown[]>(
      `INSERT INTO pending_embeddings (index_id, document_id, job_id)
       SELECT $1, id, $3 FROM documents d WHERE collection_id = $2
         AND NOT EXISTS (SELECT FROM ${passageTable(index.id)} p WHERE p.document_id = d.id)
         AND NOT EXISTS (SELECT FROM pending_embeddings e WHERE e.index_id = $1 AND e.document_id = d.id)
       RETURNING document_id`,
      [index.id, index.collectionId, jobId],
    );
    return rows.length;
  }
}
