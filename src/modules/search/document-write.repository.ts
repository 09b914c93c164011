import type { Transaction } from "../../ports/database.js";
import type { IncomingDocument } from "./document-input.rules.js";

export interface StoredDocument {
  id: string;
  key: string;
  digest: string;
  wordCount: number;
}

/** Writes documents; the collection is locked. */
export class DocumentWriteRepository {
  constructor(private readonly tx: Transaction) {}

  /** Those of the keys that exist, by key. */
  async stored(collectionId: number, keys: readonly string[]): Promise<Map<string, StoredDocument>> {
    const rows = await this.tx.query<StoredDocument[]>(
      `SELECT id, key, digest, word_count AS "wordCount" FROM documents
       WHERE collection_id = $1 AND key = ANY($2::text[])`,
      [collectionId, keys],
    );
    return new Map(rows.map((row) => [row.key, row]));
  }

  /** @returns ids in the order of the documents */
  async insert(
    collectionId: number,
    documents: readonly IncomingDocument[],
    wordCounts: readonly number[],
  ): Promise<string[]> {
    const rows = await this.tx.query<{ id: string }[]>(
      `INSERT INTO documents (collection_id, key, title, text, metadata, published_at, digest, word_count)
       SELECT $1, key, title, text, metadata, published_at, digest, word_count
       FROM unnest($2::text[], $3::text[], $4::text[], $5::jsonb[], $6::timestamptz[], $7::text[], $8::int[])
         WITH ORDINALITY AS d(key, title, text, metadata, published_at, digest, word_count, number)
       ORDER BY number RETURNING id`,
      [collectionId, ...columnsOf(documents), wordCounts],
    );
    return rows.map(({ id }) => id);
  }

  /** Another title or text makes another revision. */
  async update(
    ids: readonly string[],
    documents: readonly IncomingDocument[],
    wordCounts: readonly number[],
  ): Promise<void> {
    await this.tx.query(
      `UPDATE documents d SET title = new.title, text = new.text, metadata = new.metadata,
         published_at = new.published_at, digest = new.digest, word_count = new.word_count, updated_at = now(),
         revision = revision + ((d.title, d.text) IS DISTINCT FROM (new.title, new.text))::int
       FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::jsonb[], $6::timestamptz[], $7::text[],
         $8::int[]) AS new(id, key, title, text, metadata, published_at, digest, word_count)
       WHERE d.id = new.id`,
      [ids, ...columnsOf(documents), wordCounts],
    );
  }

  /** Postings and passages are deleted by their own repositories; what is pending goes with the documents. */
  async delete(ids: readonly string[]): Promise<void> {
    await this.tx.query("DELETE FROM documents WHERE id = ANY($1::bigint[])", [ids]);
  }

  /** Keeps count of the metadata keys in use: before documents go or change, and after they have come. */
  async countMetadataKeys(collectionId: number, ids: readonly string[], by: 1 | -1): Promise<void> {
    await this.tx.query(
      `INSERT INTO metadata_keys AS known (collection_id, key, document_count)
       SELECT $1, used.key, $3 * count(*) FROM documents d, jsonb_object_keys(d.metadata) AS used(key)
       WHERE d.id = ANY($2::bigint[]) GROUP BY used.key
       ON CONFLICT (collection_id, key)
         DO UPDATE SET document_count = known.document_count + excluded.document_count`,
      [collectionId, ids, by],
    );
  }
}

function columnsOf(documents: readonly IncomingDocument[]): unknown[][] {
  return [
    documents.map(({ key }) => key),
    documents.map(({ title }) => title),
    documents.map(({ text }) => text),
    documents.map(({ metadata }) => JSON.stringify(metadata)),
    documents.map(({ publishedAt }) => publishedAt?.toISOString() ?? null),
    documents.map(({ digest }) => digest),
  ];
}
