import type { Database } from "../../ports/database.js";
import type { Caller } from "../identity/index.js";
import type { ModelRegistryService } from "../models/index.js";
import { CollectionRepository } from "./collection.repository.js";
import type { ReindexService } from "./reindex.service.js";

const SCHEDULE: Caller = { subject: "schedule", roles: [] };

/** Gives an index to collections that came without theirs, as an import brings them. */
export class IndexRecoveryService {
  constructor(
    private readonly database: Database,
    private readonly registry: ModelRegistryService,
    private readonly reindexing: ReindexService,
  ) {}

  /** Begins the reindex of each; one that has failed is tried again on demand only. */
  async startMissing(): Promise<void> {
    const { manager } = this.database.dataSource;
    for (const { id, embedderModelId } of await new CollectionRepository(manager).withoutIndex()) {
      const { name } = await this.registry.modelWithin(manager, embedderModelId);
      const { followUp } = await this.database.transaction(async (tx) => {
        // The model before the collection, as promotions lock them.
        const model = await this.registry.lockModel(tx, name);
        const version = await this.registry.productionWithin(tx, model.id);
        const collection = (await new CollectionRepository(tx).lock(id))!;
        return this.reindexing.follow(tx, { collection, version }, SCHEDULE);
      });
      await followUp();
    }
  }
}
