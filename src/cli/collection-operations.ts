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
}

export interface CollectionState {
  name: string;
  language: string;
  documentCount: number;
  pendingCount: number;
  embedderModel: { name: string } | null;
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
