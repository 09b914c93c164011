import type { Database } from "../../ports/database.js";
import type { ServedVersion, ServedVersions } from "../models/index.js";
import type { SearchIndexRow } from "./search-index.entity.js";
import { SearchIndexRepository } from "./search-index.repository.js";

/** What answers searches by meaning, read in one statement, so that index and embedder belong together. */
export interface ServingIndex {
  index: SearchIndexRow;
  /** Embeds the queries: the version whose vectors the index holds. */
  version: ServedVersion;
  /** Of the collection when the index was read. */
  generation: number;
}

export class ServingIndexService {
  constructor(
    private readonly database: Database,
    private readonly served: ServedVersions,
  ) {}

  /**
   * Its table may be dropped after a later switch: a search that meets 42P01 (undefined_table) asks again.
   * @returns null for a collection that nothing has embedded yet
   */
  async of(collectionId: number): Promise<ServingIndex | null> {
    const found = await new SearchIndexRepository(this.database.dataSource.manager).serving(collectionId);
    return found && { ...found, version: await this.served.byVersionId(found.index.versionId) };
  }

  /** Ids of the versions that answer searches now, by the ids of their collections; null where none does. */
  async versionsOf(collectionIds: readonly number[]): Promise<(string | null)[]> {
    const found = await new SearchIndexRepository(this.database.dataSource.manager).servingOf(collectionIds);
    return collectionIds.map((id) => found.get(id)?.versionId ?? null);
  }
}
