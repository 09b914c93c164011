import type { Database } from "../../ports/database.js";
import type { Logger } from "../../telemetry/logger.js";
import type { NodeSource } from "../graph/index.js";
import type { EmbeddingsModule } from "../embeddings/index.js";
import type { ModelsModule } from "../models/index.js";
import type { OperationsModule } from "../operations/index.js";
import { CollectionRow } from "./collection.entity.js";
import { CollectionResolver } from "./collection.resolver.js";
import { CollectionService } from "./collection.service.js";
import { CollectionType } from "./collection.types.js";
import { DocumentRow } from "./document.entity.js";
import { CollectionDocumentsResolver, DocumentResolver } from "./document.resolver.js";
import { DocumentService } from "./document.service.js";
import { DocumentType } from "./document.types.js";
import { DocumentEmbedder } from "./document-embedder.service.js";
import { embedDocumentsJob } from "./ingest.jobs.js";
import { IngestService } from "./ingest.service.js";
import { SearchIndexRow } from "./search-index.entity.js";

export const searchEntities = [CollectionRow, DocumentRow, SearchIndexRow];

export interface SearchModule {
  collections: CollectionService;
  documents: DocumentService;
  ingestion: IngestService;
  embedder: DocumentEmbedder;
  resolvers: object[];
  nodeSources: NodeSource[];
}

export interface SearchModuleOptions {
  database: Database;
  operations: OperationsModule;
  models: ModelsModule;
  embeddings: EmbeddingsModule;
  logger: Logger;
}

export function createSearchModule(options: SearchModuleOptions): SearchModule {
  const { database, operations, models, embeddings, logger } = options;
  const collections = new CollectionService(database, models.registry);
  const documents = new DocumentService(database);
  const ingestion = new IngestService(database, collections, operations.jobs);
  const embedder = new DocumentEmbedder(
    database,
    operations.jobs,
    models.served,
    embeddings.embeddings,
    logger,
  );
  operations.jobs.register(embedDocumentsJob);
  return {
    collections,
    documents,
    ingestion,
    embedder,
    resolvers: [
      new CollectionResolver(collections, models.registry),
      new CollectionDocumentsResolver(documents),
      new DocumentResolver(collections, ingestion),
    ],
    nodeSources: [
      {
        type: "Collection",
        permission: "collection:read",
        find: async (id) => {
          const [row] = await collections.byIds([Number(id)]);
          return row instanceof Error || !row ? undefined : new CollectionType(row);
        },
      },
      {
        type: "Document",
        permission: "collection:read",
        find: async (id) => {
          const [row] = await documents.byIds([id]);
          return row instanceof Error || !row ? undefined : new DocumentType(row);
        },
      },
    ],
  };
}

export { CollectionService } from "./collection.service.js";
export { embedDocumentsJob } from "./ingest.jobs.js";
export { IngestService } from "./ingest.service.js";
