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
