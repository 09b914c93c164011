import type { Transaction } from "../../ports/database.js";
import { toPage } from "../../shared/pagination.js";
import type { Page, PageRequest } from "../../shared/pagination.js";
import { documentFilterSql, isUnfiltered } from "./document-filter.rules.js";
import type { DocumentFilter } from "./document-filter.rules.js";
import { DocumentRow } from "./document.entity.js";

/** Most names that a message lists. */
const LISTED_KEYS = 30;

/** Documents by id: those behind the first, up to and with the last. */
export interface DocumentRange {
  after: string;
  to: string;
}

export class DocumentRepository {
  constructor(private readonly tx: Transaction) {}

  byIds(ids: readonly string[]): Promise<DocumentRow[]> {
    return this.tx.createQueryBuilder(DocumentRow, "d").where("d.id = ANY(:ids)", { ids }).getMany();
  }

  byKey(collectionId: number, key: string): Promise<DocumentRow | null> {
    return this.tx.findOneBy(DocumentRow, { collectionId, key });
  }

  /** By key. */
  async list(
    collection: { id: number; documentCount: number },
    filter: DocumentFilter,
    page: PageRequest,
  ): Promise<Page<DocumentRow>> {
    const { sql, parameters } = documentFilterSql(filter, "documents", 4);
    const found = await this.tx.query<{ id: string }[]>(
      `SELECT id FROM documents WHERE collection_id = $1 AND ($2::text IS NULL OR key > $2) AND ${sql}
       ORDER BY key LIMIT $3`,
      [collection.id, page.after?.[0] ?? null, page.limit + 1, ...parameters],
    );
    const rows = new Map((await this.byIds(found.map(({ id }) => id))).map((row) => [row.id, row]));
    return toPage(
      found.flatMap(({ id }) => rows.get(id) ?? []),
      page,
      ({ key }) => [key],
      () => this.count(collection, filter),
    );
  }

  private async count(
    collection: { id: number; documentCount: number },
    filter: DocumentFilter,
  ): Promise<number> {
    if (isUnfiltered(filter)) return collection.documentCount;
    const { sql, parameters } = documentFilterSql(filter, "documents", 2);
    const [row] = await this.tx.query<{ count: number }[]>(
      `SELECT count(*)::int AS count FROM documents WHERE collection_id = $1 AND ${sql}`,
      [collection.id, ...parameters],
    );
    return row!.count;
  }

  /**
   * Divides the documents of a collection, by id, into parts of equal size.
   * @returns for each part the id that it begins behind, and that of its last document
   */
  async divide(collectionId: number, parts: number): Promise<DocumentRange[]> {
    const rows = await this.tx.query<{ to: string }[]>(
      `SELECT max(id) AS to FROM
         (SELECT id, ntile($2) OVER (ORDER BY id) AS part FROM documents WHERE collection_id = $1) d
       GROUP BY part ORDER BY part`,
      [collectionId, parts],
    );
    return rows.map(({ to }, i) => ({ after: rows[i - 1]?.to ?? "0", to }));
  }

  /** Which of these metadata keys no document of the collection has. */
  async unknownMetadataKeys(collectionId: number, keys: readonly string[]): Promise<string[]> {
    const rows = await this.tx.query<{ key: string }[]>(
      `SELECT key FROM unnest($2::text[]) AS asked(key)
       WHERE NOT EXISTS (SELECT FROM metadata_keys k
         WHERE k.collection_id = $1 AND k.key = asked.key AND k.document_count > 0)`,
      [collectionId, keys],
    );
    return rows.map(({ key }) => key);
  }

  /** Metadata keys that most documents have, up to a number that fits a message. */
  async metadataKeys(collectionId: number): Promise<string[]> {
    const rows = await this.tx.query<{ key: string }[]>(
      `SELECT key FROM metadata_keys WHERE collection_id = $1 AND document_count > 0
       ORDER BY document_count DESC, key LIMIT $2`,
      [collectionId, LISTED_KEYS],
    );
    return rows.map(({ key }) => key);
  }

  /** Documents that the collections' indexes lack: of the one that serves, or else of the one that is being built. */
  async pendingCounts(collectionIds: readonly number[]): Promise<Map<number, number>> {
    const rows = await this.tx.query<{ collection: number; count: number }[]>(
      `SELECT i.collection_id AS collection, count(*)::int AS count
       FROM search_indexes i JOIN pending_embeddings p ON p.index_id = i.id
       WHERE i.id IN (SELECT DISTINCT ON (collection_id) id FROM search_indexes
         WHERE collection_id = ANY($1) AND state IN ('SERVING', 'BUILDING')
         ORDER BY collection_id, state DESC, id DESC)
       GROUP BY i.collection_id`,
      [collectionIds],
    );
    return new Map(rows.map(({ collection, count }) => [collection, count]));
  }
}
