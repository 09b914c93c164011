import type { Connection, Operation } from "./operation.js";

/** Those of the documents in `schema/operations` that concern collections. */
export interface CollectionOperations {
  collection: Operation<{ name: string }, { collection: CollectionState | null }>;
  collections: Operation<{ first: number; after?: string }, { collections: Connection<CollectionState> }>;
  "create-collection": Operation<
    { input: { name: string; language?: string; embedder?: string } },
    { createCollection: { collection: { name: string; language: string } } }
  >;
  "ingest-documents": Operation<
    { input: { collection: string; documents: DocumentInput[]; idempotencyKey: string } },
    { ingestDocuments: IngestCounts & { job: { id: string; state: string } } }
  >;
  search: Operation<{ input: SearchInput; first: number; after?: string }, { search: FoundDocuments }>;
  "delete-documents": Operation<
    { input: { collection: string; keys: string[] } },
    { deleteDocuments: { deleted: number } }
  >;
  "reindex-collection": Operation<
    { input: { collection: string } },
    { reindexCollection: { job: { id: string; state: string } } }
  >;
  "set-collection-embedder": Operation<
    { input: { collection: string; embedder: string } },
    { setCollectionEmbedder: { collection: Pick<CollectionState, "embedder" | "reindex"> } }
  >;
}

export interface CollectionState {
  name: string;
  language: string;
  documentCount: number;
  pendingCount: number;
  /** The version that answers searches now. */
  embedder: ServingEmbedder | null;
  embedderModel: { name: string } | null;
  /** The last reindex, under way or ended. */
  reindex: { id: string; state: string } | null;
}

export interface ServingEmbedder {
  number: number;
  model: { name: string };
}

export interface DocumentInput {
  key: string;
  title?: string | null;
  text: string;
  metadata?: unknown;
  publishedAt?: string | null;
}

export interface IngestCounts {
  created: number;
  updated: number;
  unchanged: number;
}

export interface SearchInput {
  collection: string;
  query: string;
  mode?: string;
  filter?: { metadata?: Record<string, unknown[]>; publishedFrom?: string; publishedTo?: string };
  facets?: string[];
}

export interface FoundDocuments {
  edges: FoundDocument[];
  pageInfo: { hasNextPage: boolean; endCursor: string | null };
  facets: SearchFacet[];
  plan: { mode: string; strategy: string; exhausted: boolean; tookMs: number };
}

export interface FoundDocument {
  cursor: string;
  score: number;
  semanticRank: number | null;
  lexicalRank: number | null;
  /** HTML: matches between <em> and </em>. */
  highlight: string;
  node: { key: string; title: string | null; metadata: Record<string, unknown>; publishedAt: string | null };
}

export interface SearchFacet {
  key: string;
  values: { value: string; count: number }[];
}
