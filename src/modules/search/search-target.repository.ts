import type { Transaction } from "../../ports/database.js";
import { searchableText } from "./searchable-text.rules.js";
import type { SearchIndexRow, VectorType } from "./search-index.entity.js";
import type { Snapshot } from "./search-request.rules.js";

/** All that a search has to know of a collection, as one statement saw it. */
export interface SearchTarget {
  collection: { id: number; name: string; language: string; generation: number; documentCount: number };
  /** What answers searches by meaning; null: nothing does yet. */
  index:
    (Pick<SearchIndexRow, "id" | "dimensions" | "vectorType" | "efSearch"> & { versionId: string }) | null;
  hasEmbedder: boolean;
  snapshot: Snapshot;
  /** Of the query, in the collection's language. */
  lexemes: string[];
}

interface TargetRow {
  id: number;
  name: string;
  language: string;
  generation: string;
  document_count: number;
  word_count: string;
  has_embedder: boolean;
  index_id: number | null;
  version_id: string;
  dimensions: number;
  vector_type: VectorType;
  ef_search: number | null;
  last_id: string;
  lexemes: string[];
}

/** Reads what a search starts from. */
export class SearchTargetRepository {
  constructor(private readonly tx: Transaction) {}

  async find(collection: string, query: string): Promise<SearchTarget | null> {
    const [row] = await this.tx.query<TargetRow[]>(
      `SELECT c.id, c.name, c.language, c.generation, c.document_count, c.word_count,
         c.embedder_model_id IS NOT NULL AS has_embedder,
         i.id AS index_id, i.version_id, i.dimensions, i.vector_type, i.ef_search,
         (SELECT coalesce(max(id), 0) FROM documents) AS last_id,
         tsvector_to_array(to_tsvector(c.language::regconfig, $2)) AS lexemes
       FROM collections c LEFT JOIN search_indexes i ON i.id = c.serving_index_id WHERE c.name = $1`,
      [collection, searchableText(query)],
    );
    return row ? toTarget(row) : null;
  }
}

function toTarget(row: TargetRow): SearchTarget {
  const { id, name, language, document_count: documentCount, index_id: indexId } = row;
  const { version_id: versionId, dimensions, vector_type: vectorType, ef_search: efSearch } = row;
  return {
    collection: { id, name, language, generation: Number(row.generation), documentCount },
    index: indexId === null ? null : { id: indexId, versionId, dimensions, vectorType, efSearch },
    hasEmbedder: row.has_embedder,
    snapshot: { lastDocumentId: row.last_id, documentCount, wordCount: Number(row.word_count) },
    lexemes: row.lexemes,
  };
}
