import type { Database } from "../../ports/database.js";
import type { NodeSource } from "../graph/index.js";
import type { ModelsModule } from "../models/index.js";
import { CollectionRow } from "./collection.entity.js";
import { CollectionResolver } from "./collection.resolver.js";
import { CollectionService } from "./collection.service.js";
import { CollectionType } from "./collection.types.js";
import { DocumentRow } from "./document.entity.js";
import { CollectionDocumentsResolver, DocumentResolver } from "./document.resolver.js";
import { DocumentService } from "./document.service.js";
import { DocumentType } from "./document.types.js";
import { SearchIndexRow } from "./search-index.entity.js";

export const searchEntities = [CollectionRow, DocumentRow, SearchIndexRow];

export interface SearchModule {
  collections: CollectionService;
  documents: DocumentService;
  resolvers: object[];
  nodeSources: NodeSource[];
}

export interface SearchModuleOptions {
  database: Database;
  models: ModelsModule;
}

export function createSearchModule({ database, models }: SearchModuleOptions): SearchModule {
  const collections = new CollectionService(database, models.registry);
  const documents = new DocumentService(database);
  return {
    collections,
    documents,
    resolvers: [
      new CollectionResolver(collections, models.registry),
      new CollectionDocumentsResolver(documents),
      new DocumentResolver(collections),
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
