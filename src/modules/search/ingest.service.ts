import type { Database, Transaction } from "../../ports/database.js";
import { InvalidInputError } from "../../shared/errors.js";
import { reportDocuments } from "../../telemetry/events.js";
import type { Caller } from "../identity/index.js";
import { cursorBefore, onceOnly } from "../operations/index.js";
import type { JobRow, JobService } from "../operations/index.js";
import type { CollectionRow } from "./collection.entity.js";
import { CollectionRepository } from "./collection.repository.js";
import type { CollectionService } from "./collection.service.js";
import { MOST_DOCUMENTS, assertDocumentKey, readDocuments, sameWords } from "./document-input.rules.js";
import type { DocumentRequest, IncomingDocument } from "./document-input.rules.js";
import { DocumentWriteRepository } from "./document-write.repository.js";
import type { StoredDocument } from "./document-write.repository.js";
import { embedDocumentsJob } from "./ingest.jobs.js";
import { deletePassages } from "./passage-table.js";
import { PendingEmbeddingRepository } from "./pending-embedding.repository.js";
import { PostingRepository } from "./posting.repository.js";
import type { DocumentWords } from "./posting.repository.js";
import { SearchIndexRepository } from "./search-index.repository.js";
import { failpoint } from "../../shared/failpoint.js";

export interface IngestRequest {
  collection: string;
  documents: readonly DocumentRequest[];
  idempotencyKey?: string | null;
}

export interface IngestCounts {
  created: number;
  updated: number;
  unchanged: number;
}

export interface IngestOutcome extends IngestCounts {
  job: JobRow;
  /** Subscribe after it to miss nothing of the job. */
  cursor: string;
}

/** Takes documents in and out of collections; what they mean is embedded by a job afterwards. */
export class IngestService {
  constructor(
    private readonly database: Database,
    private readonly collections: CollectionService,
    private readonly jobs: JobService,
  ) {}

  /**
   * Stores all documents or none; those that are known as they are, by their digest, are left alone.
   * @throws {InvalidInputError} naming the document and field that is wrong
   */
  async ingest(request: IngestRequest, caller: Caller): Promise<IngestOutcome> {
    const documents = readDocuments(request.documents, "input.documents");
    const collection = await this.collections.require(request.collection);
    const words = await this.wordsOfChanged(collection, documents);
    const body = { collection: collection.id, documents: documents.map(({ key, digest }) => [key, digest]) };
    const { idempotencyKey: key } = request;
    const {
      repeated,
      job: jobId,
      ...outcome
    } = await this.database.transaction((tx) =>
      onceOnly(tx, { caller: caller.subject, operation: "ingestDocuments", key, body }, () =>
        this.write(tx, collection, documents, words, caller),
      ),
    );
    failpoint("ingest.committed");
    const job = (await this.jobs.find(jobId))!;
    if (!repeated) {
      await this.jobs.dispatch(job);
      const { created, updated, unchanged } = outcome;
      reportDocuments({ collection: collection.name, created, updated, unchanged });
    }
    return { ...outcome, job };
  }

  /** @returns how many of the keys there were */
  async delete(collectionName: string, keys: readonly string[]): Promise<number> {
    if (keys.length === 0 || keys.length > MOST_DOCUMENTS) {
      throw InvalidInputError.at("input.keys", `needs 1 to ${MOST_DOCUMENTS} keys, not ${keys.length}`);
    }
    keys.forEach((key, i) => assertDocumentKey(key, `input.keys.${i}`));
    const collection = await this.collections.require(collectionName);
    const deleted = await this.database.transaction((tx) => this.remove(tx, collection.id, keys));
    reportDocuments({ collection: collection.name, deleted });
    return deleted;
  }

  /**
   * The words of the documents that seem new or changed, by key: found before the transaction, which then has
   * little left to do while it holds the collection.
   */
  private async wordsOfChanged(
    { id, language }: CollectionRow,
    documents: readonly IncomingDocument[],
  ): Promise<Map<string, DocumentWords>> {
    const { manager } = this.database.dataSource;
    const stored = await new DocumentWriteRepository(manager).stored(
      id,
      documents.map(({ key }) => key),
    );
    const changed = documents.filter((document) => !hasWordsOf(stored.get(document.key), document));
    return wordsOf(new PostingRepository(manager), language, changed);
  }

  private async write(
    tx: Transaction,
    { id, language }: CollectionRow,
    documents: readonly IncomingDocument[],
    words: Map<string, DocumentWords>,
    caller: Caller,
  ): Promise<IngestCounts & { job: string; cursor: string }> {
    const collections = new CollectionRepository(tx);
    await collections.lock(id);
    const writer = new DocumentWriteRepository(tx);
    const stored = await writer.stored(
      id,
      documents.map(({ key }) => key),
    );
    const postings = new PostingRepository(tx);
    // Somebody else may have changed documents since their words were found.
    const missed = documents.filter(
      (document) => !hasWordsOf(stored.get(document.key), document) && !words.has(document.key),
    );
    for (const [key, found] of await wordsOf(postings, language, missed)) words.set(key, found);
    const changes = new DocumentChanges(documents, stored, words);
    const reworded = await changes.apply(id, writer, postings);
    const { created, updated, unchanged } = changes;
    if (created.length + updated.length > 0) {
      await collections.grow(id, { documents: created.length, words: changes.wordGrowth });
    }
    const { job, position } = await this.jobs.create(
      tx,
      embedDocumentsJob,
      { collection: id },
      caller.subject,
    );
    const pending = new PendingEmbeddingRepository(tx);
    await pending.adopt(
      [...updated, ...unchanged].map(({ key }) => stored.get(key)!.id),
      job.id,
    );
    await pending.add(id, reworded, job.id);
    failpoint("ingest.written");
    return {
      created: created.length,
      updated: updated.length,
      unchanged: unchanged.length,
      job: job.id,
      cursor: cursorBefore(position),
    };
  }

  private async remove(tx: Transaction, collectionId: number, keys: readonly string[]): Promise<number> {
    const collections = new CollectionRepository(tx);
    await collections.lock(collectionId);
    const writer = new DocumentWriteRepository(tx);
    const stored = [...(await writer.stored(collectionId, keys)).values()];
    if (stored.length === 0) return 0;
    const ids = stored.map(({ id }) => id);
    await writer.countMetadataKeys(collectionId, ids, -1);
    await new PostingRepository(tx).delete(ids);
    for (const index of await new SearchIndexRepository(tx).standing(collectionId)) {
      await deletePassages(tx, index.id, ids);
    }
    await writer.delete(ids);
    const words = stored.reduce((sum, { wordCount }) => sum + wordCount, 0);
    await collections.grow(collectionId, { documents: -ids.length, words: -words });
    return ids.length;
  }
}

/** What a batch changes in a collection. */
class DocumentChanges {
  readonly created: IncomingDocument[] = [];
  readonly updated: IncomingDocument[] = [];
  readonly unchanged: IncomingDocument[] = [];
  wordGrowth = 0;

  constructor(
    documents: readonly IncomingDocument[],
    private readonly stored: ReadonlyMap<string, StoredDocument>,
    private readonly words: ReadonlyMap<string, DocumentWords>,
  ) {
    for (const document of documents) {
      const known = stored.get(document.key);
      if (!known) this.created.push(document);
      else if (known.digest === document.digest) this.unchanged.push(document);
      else this.updated.push(document);
      if (known?.digest !== document.digest) {
        this.wordGrowth += this.countOf(document) - (known?.wordCount ?? 0);
      }
    }
  }

  /** @returns ids of the documents with another title or text than before */
  async apply(
    collectionId: number,
    writer: DocumentWriteRepository,
    postings: PostingRepository,
  ): Promise<string[]> {
    const { created, updated } = this;
    const count = (document: IncomingDocument) => this.countOf(document);
    const rewritten = updated.filter((document) => !hasWordsOf(this.stored.get(document.key), document));
    if (updated.length > 0) {
      const ids = updated.map(({ key }) => this.stored.get(key)!.id);
      await writer.countMetadataKeys(collectionId, ids, -1);
      await writer.update(ids, updated, updated.map(count));
      await writer.countMetadataKeys(collectionId, ids, 1);
    }
    const rewrittenIds = rewritten.map(({ key }) => this.stored.get(key)!.id);
    if (rewritten.length > 0) await postings.delete(rewrittenIds);
    let createdIds: string[] = [];
    if (created.length > 0) {
      createdIds = await writer.insert(collectionId, created, created.map(count));
      await writer.countMetadataKeys(collectionId, createdIds, 1);
    }
    const reworded = [...createdIds, ...rewrittenIds];
    const documents = [...created, ...rewritten];
    const words = new Map(reworded.map((id, i) => [id, this.words.get(documents[i]!.key)!]));
    if (reworded.length > 0) await postings.insert(collectionId, words);
    return reworded;
  }

  private countOf({ key, digest }: IncomingDocument): number {
    const known = this.stored.get(key);
    return known && sameWords(known.digest, digest) ? known.wordCount : this.words.get(key)!.count;
  }
}

function hasWordsOf(stored: StoredDocument | undefined, document: IncomingDocument): boolean {
  return stored !== undefined && sameWords(stored.digest, document.digest);
}

async function wordsOf(
  postings: PostingRepository,
  language: string,
  documents: readonly IncomingDocument[],
): Promise<Map<string, DocumentWords>> {
  const texts = documents.map(({ title, text }) => (title === null ? text : `${title}\n${text}`));
  const words = await postings.words(language, texts);
  return new Map(documents.map(({ key }, i) => [key, words[i]!]));
}
