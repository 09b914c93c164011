import type { Database, Transaction } from "../../ports/database.js";
import { ConflictError, InvalidInputError, NotFoundError } from "../../shared/errors.js";
import type { Page, PageRequest } from "../../shared/pagination.js";
import { assertGranted } from "../identity/index.js";
import type { Caller } from "../identity/index.js";
import { assertModelName } from "../models/index.js";
import type { ModelRegistryService, ModelRow } from "../models/index.js";
import type { JobRow } from "../operations/index.js";
import type { CollectionRow } from "./collection.entity.js";
import { CollectionRepository } from "./collection.repository.js";
import type { ReindexService } from "./reindex.service.js";

export interface CollectionRequest {
  name: string;
  embedder?: string | null;
  language?: string | null;
}

export interface EmbedderChange {
  collection: string;
  embedder: string;
}

export interface ReindexRequest {
  collection: string;
  idempotencyKey?: string | null;
}

export class CollectionService {
  constructor(
    private readonly database: Database,
    private readonly registry: ModelRegistryService,
    private readonly reindexing: ReindexService,
  ) {}

  async create(request: CollectionRequest, caller: Caller): Promise<CollectionRow> {
    const { name, language } = { ...request, language: request.language ?? "english" };
    assertModelName(name, "input.name");
    if (request.embedder != null) assertGranted(caller, "text:embed", { model: request.embedder });
    const embedder = request.embedder == null ? null : await this.requireEmbedder(request.embedder);
    const { collection, followUp } = await this.database.transaction(async (tx) => {
      const collections = new CollectionRepository(tx);
      // The model before the collection, as promotions lock them.
      if (embedder) await this.registry.lockModel(tx, embedder.name);
      if (!(await collections.knowsLanguage(language))) {
        const known = (await collections.languages()).join(", ");
        throw InvalidInputError.at("input.language", `"${language}" is not one of ${known}`);
      }
      const created = await collections.insert({
        name,
        language,
        embedderModelId: embedder?.id ?? null,
        createdBy: caller.subject,
      });
      if (!created) {
        throw new ConflictError(`input.name: a collection "${name}" exists`, { field: "input.name" });
      }
      return this.follow(tx, (await collections.byName(name))!, embedder, caller);
    });
    await followUp();
    return collection;
  }

  /**
   * Lets a collection follow another model, by a reindex unless an index of it is ready. One without a version in
   * production leaves searches as they are until its first promotion.
   */
  async setEmbedder(request: EmbedderChange, caller: Caller): Promise<CollectionRow> {
    assertGranted(caller, "text:embed", { model: request.embedder });
    const { id } = await this.require(request.collection);
    const embedder = await this.requireEmbedder(request.embedder);
    const { collection, followUp } = await this.database.transaction(async (tx) => {
      await this.registry.lockModel(tx, embedder.name);
      const collections = new CollectionRepository(tx);
      const locked = (await collections.lock(id))!;
      await collections.follow(id, embedder.id);
      return this.follow(tx, { ...locked, embedderModelId: embedder.id }, embedder, caller);
    });
    await followUp();
    return collection;
  }

  /**
   * Starts over with the current embedder.
   * @throws {PreconditionFailedError} when there is none, or it has no version in production
   */
  async reindex(request: ReindexRequest, caller: Caller): Promise<{ job: JobRow; cursor: string }> {
    const collection = await this.require(request.collection);
    return this.reindexing.startOver(collection, request.idempotencyKey, caller);
  }

  private async follow(
    tx: Transaction,
    collection: CollectionRow,
    embedder: ModelRow | null,
    caller: Caller,
  ): Promise<{ collection: CollectionRow; followUp: () => Promise<void> }> {
    if (!embedder) return { collection, followUp: () => Promise.resolve() };
    const version = await this.registry.productionWithin(tx, embedder.id);
    const { followUp } = await this.reindexing.follow(tx, { collection, version }, caller);
    const [changed] = await new CollectionRepository(tx).byIds([collection.id]);
    return { collection: changed!, followUp };
  }

  /** @throws {NotFoundError | InvalidInputError} naming input.embedder */
  async requireEmbedder(name: string): Promise<ModelRow> {
    const model = await this.registry.findModel(name);
    if (!model) throw new NotFoundError(`input.embedder: no model "${name}"`, { field: "input.embedder" });
    if (model.kind === "TEXT_EMBEDDER") return model;
    throw InvalidInputError.at("input.embedder", `"${name}" is a ${model.kind}, not a TEXT_EMBEDDER`);
  }

  find(name: string): Promise<CollectionRow | null> {
    return this.collections().byName(name);
  }

  /** @throws {NotFoundError} naming the field */
  async require(name: string, field = "input.collection"): Promise<CollectionRow> {
    const collection = await this.find(name);
    if (!collection) throw new NotFoundError(`${field}: no collection "${name}"`, { field });
    return collection;
  }

  async byIds(ids: readonly number[]): Promise<(CollectionRow | Error)[]> {
    const found = new Map((await this.collections().byIds(ids)).map((row) => [row.id, row]));
    return ids.map((id) => found.get(id) ?? new NotFoundError("no such Collection"));
  }

  list(page: PageRequest): Promise<Page<CollectionRow>> {
    return this.database.read((tx) => new CollectionRepository(tx).list(page));
  }

  private collections(): CollectionRepository {
    return new CollectionRepository(this.database.dataSource.manager);
  }
}
