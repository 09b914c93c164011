import type { Platform } from "./platform.js";
import { inDatabaseOf } from "./platform-engines.js";

export interface IndexContents {
  id: number;
  state: string;
  pending: number;
  /** Transaction that wrote it, by document and ordinal. */
  passages: Record<string, string>;
}

/** All indexes and their tables, read while no platform runs on them. */
export async function indexContents(
  platform: Platform,
): Promise<{ indexes: IndexContents[]; tables: string[]; pending: number }> {
  return inDatabaseOf(platform, async (query) => {
    const indexes = await query<IndexContents>(
      `SELECT id, state, (SELECT count(*)::int FROM pending_embeddings WHERE index_id = i.id) AS pending
       FROM search_indexes i ORDER BY id`,
    );
    for (const index of indexes) {
      const [row] = await query<{ passages: Record<string, string> | null }>(
        `SELECT json_object_agg(document_id || '/' || ordinal, xmin::text) AS passages
         FROM vectors.passages_${index.id}`,
      );
      index.passages = row!.passages ?? {};
    }
    const tables = await query<{ name: string }>(
      "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'vectors' ORDER BY 1",
    );
    const [all] = await query<{ count: number }>("SELECT count(*)::int AS count FROM pending_embeddings");
    return { indexes, tables: tables.map(({ name }) => name), pending: all!.count };
  });
}
