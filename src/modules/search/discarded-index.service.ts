import type { Database } from "../../ports/database.js";
import type { Logger } from "../../telemetry/logger.js";
import { CollectionRepository } from "./collection.repository.js";
import type { SearchIndexRow } from "./search-index.entity.js";
import { SearchIndexRepository } from "./search-index.repository.js";

const DAY_MS = 86_400_000;
const KEPT_DAYS = 7;
/** Rows that one transaction deletes: others wait for it where there is one backend. */
const ROWS_AT_ONCE = 5_000;

/** Takes away the indexes that nothing will be searched in any more. */
export class DiscardedIndexService {
  constructor(
    private readonly database: Database,
    private readonly logger: Logger,
  ) {}

  /** Drops what is discarded, behind the caller's back; the schedule sees to what fails. */
  sweepSoon(): void {
    void this.sweep().catch(() => undefined);
  }

  /** What `sweep` would take away. */
  async expired(retiredBefore: Date): Promise<SearchIndexRow[]> {
    const indexes = new SearchIndexRepository(this.database.dataSource.manager);
    return [...(await indexes.discarded()), ...(await indexes.keptSinceBefore(retiredBefore))];
  }

  /** Discards what was kept for a way back that nobody has gone since, for a week unless told; drops all that is discarded. */
  async sweep(retiredBefore = new Date(Date.now() - KEPT_DAYS * DAY_MS)): Promise<void> {
    await this.discardKept(retiredBefore);
    for (const index of await new SearchIndexRepository(this.database.dataSource.manager).discarded()) {
      try {
        await this.drop(index);
      } catch (err) {
        this.logger.info(
          { event: "search_index.drop_deferred", index: index.id, err },
          "an index is dropped later",
        );
      }
    }
  }

  private async discardKept(retiredBefore: Date): Promise<void> {
    const { manager } = this.database.dataSource;
    for (const { id, collectionId } of await new SearchIndexRepository(manager).keptSinceBefore(
      retiredBefore,
    )) {
      await this.database.transaction(async (tx) => {
        await new CollectionRepository(tx).lock(collectionId);
        const indexes = new SearchIndexRepository(tx);
        const index = await indexes.find(id);
        if (index?.state === "KEPT" && index.jobId === null) await indexes.discard(index);
      });
    }
  }

  private async drop({ id, collectionId }: SearchIndexRow): Promise<void> {
    let forgotten = ROWS_AT_ONCE;
    while (forgotten === ROWS_AT_ONCE) {
      forgotten = await this.database.transaction((tx) =>
        new SearchIndexRepository(tx).forgetPending(id, ROWS_AT_ONCE),
      );
    }
    await this.database.transaction(async (tx) => {
      // Searches that began on it end first; others must not wait for them behind this, and it can wait.
      await tx.query("SET LOCAL lock_timeout = '200ms'");
      await new CollectionRepository(tx).lock(collectionId);
      await new SearchIndexRepository(tx).drop(id);
    });
    this.logger.info({ event: "search_index.dropped", index: id }, "an index was dropped");
  }
}
