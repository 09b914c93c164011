import type { Database } from "../../ports/database.js";
import type { Logger } from "../../telemetry/logger.js";
import type { NodeSource } from "../graph/index.js";
import type { AnswerStore } from "../caching/index.js";
import type { EmbeddingsModule } from "../embeddings/index.js";
import type { ModelsModule, VersionsInUse } from "../models/index.js";
import type { OperationsModule } from "../operations/index.js";
import type { TrainingModule } from "../training/index.js";
import { CollectionRow } from "./collection.entity.js";
import { CollectionEmbedderResolver } from "./collection-embedder.resolver.js";
import { CollectionResolver } from "./collection.resolver.js";
import { CollectionService } from "./collection.service.js";
import { CollectionType } from "./collection.types.js";
import { DiscardedIndexService } from "./discarded-index.service.js";
import { DocumentRow } from "./document.entity.js";
import { CollectionDocumentsResolver, DocumentResolver } from "./document.resolver.js";
import { DocumentService } from "./document.service.js";
import { DocumentType } from "./document.types.js";
import { DocumentEmbedder } from "./document-embedder.service.js";
import { trainEmbedderJob } from "./embedder-training.jobs.js";
import { EmbedderTrainingResolver } from "./embedder-training.resolver.js";
import { EmbedderTrainingService } from "./embedder-training.service.js";
import { HnswIndexService } from "./hnsw-index.service.js";
import { IndexBuilder } from "./index-builder.service.js";
import { IndexGrowthService } from "./index-growth.service.js";
import { IndexRecoveryService } from "./index-recovery.service.js";
import { embedDocumentsJob } from "./ingest.jobs.js";
import { IngestService } from "./ingest.service.js";
import { indexVectorsJob, reindexCollectionJob, reindexPartJob } from "./reindex.jobs.js";
import { ReindexHold } from "./reindex-hold.js";
import { ReindexPartService } from "./reindex-part.service.js";
import { ReindexService } from "./reindex.service.js";
import { SearchIndexRow } from "./search-index.entity.js";
import { SearchIndexRepository } from "./search-index.repository.js";
import { SearchResolver } from "./search.resolver.js";
import { SearchService } from "./search.service.js";
import { ServingIndexService } from "./serving-index.service.js";

export const searchEntities = [CollectionRow, DocumentRow, SearchIndexRow];

export interface SearchModule {
  collections: CollectionService;
  documents: DocumentService;
  ingestion: IngestService;
  embedder: DocumentEmbedder;
  embedderTraining: EmbedderTrainingService;
  indexBuilder: IndexBuilder;
  reindexParts: ReindexPartService;
  indexGrowth: IndexGrowthService;
  indexRecovery: IndexRecoveryService;
  discardedIndexes: DiscardedIndexService;
  versionsInUse: VersionsInUse;
  resolvers: object[];
  nodeSources: NodeSource[];
}

export interface SearchModuleOptions {
  database: Database;
  operations: OperationsModule;
  models: ModelsModule;
  embeddings: EmbeddingsModule;
  training: TrainingModule;
  answers: AnswerStore;
  logger: Logger;
  /** Documents that make a job of its own of a part of a reindex. */
  reindexPartDocuments: number;
}

export function createSearchModule(options: SearchModuleOptions): SearchModule {
  const { database, operations, models, embeddings, training, answers, logger, reindexPartDocuments } =
    options;
  const { jobs } = operations;
  const discardedIndexes = new DiscardedIndexService(database, logger);
  const reindexing = new ReindexService(
    database,
    models.registry,
    jobs,
    discardedIndexes,
    reindexPartDocuments,
  );
  const collections = new CollectionService(database, models.registry, reindexing);
  const serving = new ServingIndexService(database);
  const documents = new DocumentService(database);
  const searching = new SearchService(database, models.served, embeddings.embeddings, documents, answers);
  const ingestion = new IngestService(database, collections, jobs);
  const embedder = new DocumentEmbedder(database, jobs, models.served, embeddings.embeddings, logger);
  const hnsw = new HnswIndexService(database, operations.jobs, logger);
  const hold = new ReindexHold(database, jobs);
  const indexBuilder = new IndexBuilder(database, hold, embedder, hnsw, discardedIndexes);
  const embedderTraining = new EmbedderTrainingService(database, collections, training.runs);
  jobs.register(embedDocumentsJob);
  training.runs.register(trainEmbedderJob);
  jobs.register(reindexCollectionJob, reindexing.jobHooks());
  jobs.register(reindexPartJob);
  jobs.register(indexVectorsJob);
  models.lifecycle.onProductionChange(reindexing.productionHandler);
  return {
    collections,
    documents,
    ingestion,
    embedder,
    embedderTraining,
    indexBuilder,
    reindexParts: new ReindexPartService(jobs, embedder, hold),
    indexGrowth: new IndexGrowthService(database, jobs, hnsw),
    indexRecovery: new IndexRecoveryService(database, models.registry, reindexing),
    discardedIndexes,
    versionsInUse: (tx) => new SearchIndexRepository(tx).versionsInUse(),
    resolvers: [
      new CollectionResolver(collections, models.registry),
      new CollectionEmbedderResolver(collections, serving, models.registry, jobs),
      new CollectionDocumentsResolver(documents),
      new DocumentResolver(collections, ingestion),
      new SearchResolver(searching),
      new EmbedderTrainingResolver(embedderTraining, collections),
    ],
    nodeSources: nodeSourcesOf(collections, documents),
  };
}

function nodeSourcesOf(collections: CollectionService, documents: DocumentService): NodeSource[] {
  return [
    {
      type: "Collection",
      find: async (id) => {
        const [row] = await collections.byIds([Number(id)]);
        return row instanceof Error || !row ? undefined : new CollectionType(row);
      },
    },
    {
      type: "Document",
      find: async (id) => {
        const [row] = await documents.byIds([id]);
        return row instanceof Error || !row ? undefined : new DocumentType(row);
      },
    },
  ];
}

export { CollectionService } from "./collection.service.js";
export type { DocumentRequest } from "./document-input.rules.js";
export { trainEmbedderJob } from "./embedder-training.jobs.js";
export { EmbedderTrainingService } from "./embedder-training.service.js";
export { embedDocumentsJob } from "./ingest.jobs.js";
export { IngestService } from "./ingest.service.js";
export { rebuildLexicalIndex } from "./lexical-rebuild.js";
export { indexVectorsJob, reindexCollectionJob, reindexPartJob } from "./reindex.jobs.js";
