import type { Database } from "../../ports/database.js";
import { ConflictError, InvalidInputError, NotFoundError } from "../../shared/errors.js";
import type { Page, PageRequest } from "../../shared/pagination.js";
import type { Caller } from "../identity/index.js";
import { assertModelName } from "../models/index.js";
import type { ModelRegistryService, ModelRow } from "../models/index.js";
import type { CollectionRow } from "./collection.entity.js";
import { CollectionRepository } from "./collection.repository.js";

export interface CollectionRequest {
  name: string;
  embedder?: string | null;
  language?: string | null;
}

export class CollectionService {
  constructor(
    private readonly database: Database,
    private readonly registry: ModelRegistryService,
  ) {}

  async create(request: CollectionRequest, caller: Caller): Promise<CollectionRow> {
    const { name, language } = { ...request, language: request.language ?? "english" };
    assertModelName(name, "input.name");
    const embedder = request.embedder == null ? null : await this.requireEmbedder(request.embedder);
    return this.database.transaction(async (tx) => {
      const collections = new CollectionRepository(tx);
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
      return (await collections.byName(name))!;
    });
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
    return this.collections().list(page);
  }

  private collections(): CollectionRepository {
    return new CollectionRepository(this.database.dataSource.manager);
  }
}
