import type { Database } from "../../ports/database.js";
import { InvalidInputError, NotFoundError } from "../../shared/errors.js";
import type { Page, PageRequest } from "../../shared/pagination.js";
import type { CollectionRow } from "./collection.entity.js";
import { toDocumentFilter } from "./document-filter.rules.js";
import type { DocumentFilter, DocumentFilterRequest } from "./document-filter.rules.js";
import type { DocumentRow } from "./document.entity.js";
import { DocumentRepository } from "./document.repository.js";

/** Reads documents. */
export class DocumentService {
  constructor(private readonly database: Database) {}

  find(collection: CollectionRow, key: string): Promise<DocumentRow | null> {
    return this.documents().byKey(collection.id, key);
  }

  async byIds(ids: readonly string[]): Promise<(DocumentRow | Error)[]> {
    const found = new Map((await this.documents().byIds(ids)).map((row) => [row.id, row]));
    return ids.map((id) => found.get(id) ?? new NotFoundError("no such Document"));
  }

  /** By key. @throws {InvalidInputError} for a faulty filter */
  async list(
    collection: CollectionRow,
    filter: DocumentFilterRequest | null | undefined,
    page: PageRequest,
  ): Promise<Page<DocumentRow>> {
    const sound = await this.readFilter(collection, filter, "filter");
    return this.database.read((tx) => new DocumentRepository(tx).list(collection, sound, page));
  }

  /**
   * @param field where the filter stands, e.g. `input.filter`
   * @throws {InvalidInputError} for a faulty filter, or one on a metadata key that no document has: most likely
   *   misspelt, and never met
   */
  async readFilter(
    collection: Pick<CollectionRow, "id" | "name" | "documentCount">,
    request: DocumentFilterRequest | null | undefined,
    field: string,
  ): Promise<DocumentFilter> {
    const filter = toDocumentFilter(request, field);
    if (filter.metadata.length === 0 || collection.documentCount === 0) return filter;
    const documents = this.documents();
    const asked = filter.metadata.map(({ key }) => key);
    const [unknown] = await documents.unknownMetadataKeys(collection.id, asked);
    if (unknown === undefined) return filter;
    const known = (await documents.metadataKeys(collection.id)).join(", ") || "none at all";
    throw InvalidInputError.at(
      `${field}.metadata.${unknown}`,
      `no document of "${collection.name}" has this metadata; known are ${known}`,
    );
  }

  /** Documents still to be embedded, by collection. */
  async pendingCounts(collectionIds: readonly number[]): Promise<number[]> {
    const counts = await this.documents().pendingCounts(collectionIds);
    return collectionIds.map((id) => counts.get(id) ?? 0);
  }

  private documents(): DocumentRepository {
    return new DocumentRepository(this.database.dataSource.manager);
  }
}
