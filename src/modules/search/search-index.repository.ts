import type { Transaction } from "../../ports/database.js";
import { SearchIndexRow } from "./search-index.entity.js";

export type NewSearchIndex = Pick<SearchIndexRow, "collectionId" | "versionId" | "dimensions"> &
  Partial<Pick<SearchIndexRow, "jobId">>;

/** The indexes of collections; who changes one holds the collection's lock. */
export class SearchIndexRepository {
  constructor(private readonly tx: Transaction) {}

  /** The index that answers searches by meaning now, and the generation of its collection. */
  async serving(collectionId: number): Promise<{ index: SearchIndexRow; generation: number } | null> {
    const index = await this.tx
      .createQueryBuilder(SearchIndexRow, "index")
      .innerJoinAndSelect("index.collection", "collection", "collection.servingIndexId = index.id")
      .where("collection.id = :collectionId", { collectionId })
      .getOne();
    return index && { index, generation: index.collection!.generation };
  }

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

  async byIds(ids: readonly number[]): Promise<Map<number, SearchIndexRow>> {
    const rows = await this.tx
      .createQueryBuilder(SearchIndexRow, "index")
      .where("index.id = ANY(:ids)", { ids })
      .getMany();
    return new Map(rows.map((row) => [row.id, row]));
  }
}
