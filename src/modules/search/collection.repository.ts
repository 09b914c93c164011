import type { Transaction } from "../../ports/database.js";
import { toPage } from "../../shared/pagination.js";
import type { Page, PageRequest } from "../../shared/pagination.js";
import { CollectionRow } from "./collection.entity.js";

export class CollectionRepository {
  constructor(private readonly tx: Transaction) {}

  byName(name: string): Promise<CollectionRow | null> {
    return this.tx.findOneBy(CollectionRow, { name });
  }

  byIds(ids: readonly number[]): Promise<CollectionRow[]> {
    return this.tx
      .createQueryBuilder(CollectionRow, "collection")
      .where("collection.id = ANY(:ids)", { ids })
      .getMany();
  }

  /** Collections that follow the production version of a model. */
  byEmbedder(modelId: string): Promise<CollectionRow[]> {
    return this.tx.find(CollectionRow, { where: { embedderModelId: modelId }, order: { id: "ASC" } });
  }

  /** Collections that nothing has ever been embedded for, though a version of their embedder is in production. */
  withoutIndex(): Promise<{ id: number; embedderModelId: string }[]> {
    return this.tx.query(
      `SELECT id, embedder_model_id AS "embedderModelId" FROM collections c
       WHERE serving_index_id IS NULL AND reindex_job_id IS NULL AND EXISTS
         (SELECT FROM model_versions v
          WHERE v.model_id = c.embedder_model_id AND v.stage = 'PRODUCTION' AND v.embedder IS NOT NULL)
       ORDER BY id`,
    );
  }

  /** Serializes all who change the collection, its documents or its indexes. */
  lock(id: number): Promise<CollectionRow | null> {
    return this.tx.findOne(CollectionRow, { where: { id }, lock: { mode: "pessimistic_write" } });
  }

  /** @returns false when the name is taken */
  async insert(
    collection: Pick<CollectionRow, "name" | "language" | "embedderModelId" | "createdBy">,
  ): Promise<boolean> {
    const { raw } = await this.tx
      .createQueryBuilder()
      .insert()
      .into(CollectionRow)
      .values(collection)
      .orIgnore()
      .returning("id")
      .execute();
    return (raw as unknown[]).length > 0;
  }

  async list(page: PageRequest): Promise<Page<CollectionRow>> {
    const query = this.tx.createQueryBuilder(CollectionRow, "collection").orderBy("collection.name");
    if (page.after) query.where("collection.name > :after", { after: page.after[0] });
    const rows = await query.limit(page.limit + 1).getMany();
    return toPage(
      rows,
      page,
      (row) => [row.name],
      () => this.tx.count(CollectionRow),
    );
  }

  /** Whether the database knows this text search configuration. */
  async knowsLanguage(language: string): Promise<boolean> {
    const rows = await this.tx.query<unknown[]>("SELECT 1 FROM pg_ts_config WHERE cfgname = $1", [language]);
    return rows.length > 0;
  }

  async languages(): Promise<string[]> {
    const rows = await this.tx.query<{ cfgname: string }[]>(
      "SELECT DISTINCT cfgname FROM pg_ts_config ORDER BY 1",
    );
    return rows.map(({ cfgname }) => cfgname);
  }

  async follow(id: number, embedderModelId: string): Promise<void> {
    await this.tx.update(CollectionRow, id, { embedderModelId });
  }

  /** Lets an index answer searches; its row says so as well. */
  async serve(id: number, servingIndexId: number): Promise<void> {
    await this.tx.update(CollectionRow, id, { servingIndexId });
  }

  async noteReindex(id: number, reindexJobId: string): Promise<void> {
    await this.tx.update(CollectionRow, id, { reindexJobId });
  }

  /**
   * After this, no answer that was remembered is given again. The clock sees to it that a database which was taken
   * back to an earlier state does not count up again to numbers that answers are remembered by.
   */
  async grow(id: number, by: { documents?: number; words?: number } = {}): Promise<void> {
    await this.tx.query(
      `UPDATE collections SET generation = greatest(generation + 1, (extract(epoch FROM clock_timestamp()) * 1000)::bigint), document_count = document_count + $2,
         word_count = word_count + $3 WHERE id = $1`,
      [id, by.documents ?? 0, by.words ?? 0],
    );
  }
}
