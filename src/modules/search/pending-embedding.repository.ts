import type { Transaction } from "../../ports/database.js";
import { SearchIndexRow } from "./search-index.entity.js";

/** A document as it is to be embedded. */
export interface PendingDocument {
  id: string;
  revision: number;
  title: string | null;
  text: string;
}

export interface PageBounds {
  /** Id of the last document of the page before. */
  after: string;
  documents: number;
  /** Of text; one document may be longer. */
  bytes: number;
}

/** What is still to be embedded: a row for each document whose current revision an index lacks. */
export class PendingEmbeddingRepository {
  constructor(private readonly tx: Transaction) {}

  /**
   * Asks for the documents to be embedded into every index of the collection: by this job, or by the reindex that
   * builds the index.
   */
  async add(collectionId: number, documentIds: readonly string[], jobId: string): Promise<void> {
    await this.tx.query(
      `INSERT INTO pending_embeddings (index_id, document_id, job_id)
       SELECT i.id, document.id, CASE WHEN i.state = 'BUILDING' THEN coalesce(i.job_id, $3) ELSE $3 END
       FROM search_indexes i, unnest($2::bigint[]) AS document(id)
       WHERE i.collection_id = $1 AND i.state <> 'DISCARDED'
       ON CONFLICT (index_id, document_id) DO UPDATE SET job_id = excluded.job_id`,
      [collectionId, documentIds, jobId],
    );
  }

  /** Takes over what an earlier job has not worked off of these documents: it may have failed for good. */
  async adopt(documentIds: readonly string[], jobId: string): Promise<void> {
    await this.tx.query(
      `UPDATE pending_embeddings p SET job_id = $2 FROM search_indexes i
       WHERE p.document_id = ANY($1::bigint[]) AND i.id = p.index_id AND i.state <> 'BUILDING'`,
      [documentIds, jobId],
    );
  }

  async count(jobId: string): Promise<number> {
    const [row] = await this.tx.query<{ count: number }[]>(
      `SELECT count(*)::int AS count FROM pending_embeddings p JOIN search_indexes i ON i.id = p.index_id
       WHERE p.job_id = $1 AND i.state <> 'DISCARDED'`,
      [jobId],
    );
    return row!.count;
  }

  /** Indexes for which the job has work left. */
  indexes(jobId: string): Promise<SearchIndexRow[]> {
    return this.tx
      .createQueryBuilder(SearchIndexRow, "i")
      .where("i.state <> 'DISCARDED'")
      .andWhere("EXISTS (SELECT FROM pending_embeddings p WHERE p.job_id = :jobId AND p.index_id = i.id)", {
        jobId,
      })
      .getMany();
  }

  /** Documents that the job has to embed into the index, by id. */
  page(jobId: string, indexId: number, { after, documents, bytes }: PageBounds): Promise<PendingDocument[]> {
    return this.tx.query<PendingDocument[]>(
      `SELECT id, revision, title, text FROM (
         SELECT d.id, d.revision, d.title, d.text,
           sum(octet_length(d.text)) OVER in_order AS bytes, row_number() OVER in_order AS number
         FROM (SELECT document_id FROM pending_embeddings
           WHERE job_id = $1 AND index_id = $2 AND document_id > $3 ORDER BY document_id LIMIT $4) p
         JOIN documents d ON d.id = p.document_id
         WINDOW in_order AS (ORDER BY d.id)) page
       WHERE number = 1 OR bytes <= $5 ORDER BY id`,
      [jobId, indexId, after, documents, bytes],
    );
  }

  /**
   * Those of the documents that are still wanted as they were read; the collection is locked.
   * @param revisions by document
   */
  async wanted(indexId: number, revisions: ReadonlyMap<string, number>): Promise<Set<string>> {
    const rows = await this.tx.query<{ id: string }[]>(
      `SELECT d.id FROM unnest($2::bigint[], $3::int[]) AS read(id, revision)
       JOIN documents d ON d.id = read.id AND d.revision = read.revision
       JOIN pending_embeddings p ON p.document_id = d.id AND p.index_id = $1
       JOIN search_indexes i ON i.id = p.index_id AND i.state <> 'DISCARDED'`,
      [indexId, [...revisions.keys()], [...revisions.values()]],
    );
    return new Set(rows.map(({ id }) => id));
  }

  async remove(indexId: number, documentIds: readonly string[]): Promise<void> {
    await this.tx.query(
      "DELETE FROM pending_embeddings WHERE index_id = $1 AND document_id = ANY($2::bigint[])",
      [indexId, documentIds],
    );
  }
}
