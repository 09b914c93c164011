import type { Database } from "../../ports/database.js";
import { SearchIndexRepository } from "./search-index.repository.js";

/** Tells which embedder versions answer searches by meaning. */
export class ServingIndexService {
  constructor(private readonly database: Database) {}

  /** Ids of the versions that answer now, by the ids of their collections; null where none does. */
  async versionsOf(collectionIds: readonly number[]): Promise<(string | null)[]> {
    const found = await new SearchIndexRepository(this.database.dataSource.manager).servingOf(collectionIds);
    return collectionIds.map((id) => found.get(id)?.versionId ?? null);
  }
}
