import type { Database } from "../../ports/database.js";
import { reportReindexEnd } from "../../telemetry/events.js";
import { CHILDREN_SHARE } from "../operations/index.js";
import type { JobRun } from "../operations/index.js";
import { CollectionRepository } from "./collection.repository.js";
import type { DiscardedIndexService } from "./discarded-index.service.js";
import type { DocumentEmbedder } from "./document-embedder.service.js";
import type { HnswIndexService } from "./hnsw-index.service.js";
import { FILL_AT_ONCE } from "./reindex-hold.js";
import type { ReindexHold } from "./reindex-hold.js";
import type { SearchIndexRow } from "./search-index.entity.js";
import { SearchIndexRepository } from "./search-index.repository.js";
import { switchServing } from "./serving-switch.js";

export interface ReindexOutcome extends Record<string, unknown> {
  index: number;
  /** Of the index against exact search. */
  recall: number | null;
}

/** Where nothing has served before, so many documents may still wait when the index begins to. */
const MISSING_AT_FIRST = 256;
/** Progress to which embedding leads; the rest is for building, probing and the switch. */
const EMBEDDED = 0.9;
const EMBEDDED_BEHIND_PARTS = 0.95;

/** Carries out reindexes: fills the shadow index, checks it, and lets it serve once it misses nothing. */
export class IndexBuilder {
  constructor(
    private readonly database: Database,
    private readonly hold: ReindexHold,
    private readonly embedder: DocumentEmbedder,
    private readonly hnsw: HnswIndexService,
    private readonly discarded: DiscardedIndexService,
  ) {}

  /**
   * The job; started again after a kill, it goes on where it was.
   * @param options.parted other jobs have embedded what was there when it began
   */
  build(run: JobRun, { parted }: { parted: boolean }): Promise<ReindexOutcome> {
    return this.hold.onIndexOf(run.id, (index) => this.lead(index, run, parted));
  }

  private async lead(index: SearchIndexRow, run: JobRun, parted: boolean): Promise<ReindexOutcome> {
    if (index.state !== "SERVING") {
      await this.fill(index, run);
      let whole = index.state === "KEPT";
      while (!(await this.serve(index, run, whole))) {
        await this.embedMissing(index, run, parted);
        whole ||= await this.complete(index, run);
      }
      this.discarded.sweepSoon();
    }
    await this.embedder.embedPending(run, { jobId: run.id, onProgress: () => Promise.resolve() });
    return this.reportEnd(index, run);
  }

  private async fill(index: SearchIndexRow, run: JobRun): Promise<void> {
    while (index.filledTo !== null) {
      run.signal.throwIfAborted();
      await this.hold.whileHeld(index, run, (tx) =>
        new SearchIndexRepository(tx).fill(index, run.id, FILL_AT_ONCE),
      );
    }
  }

  private async embedMissing(index: SearchIndexRow, run: JobRun, parted: boolean): Promise<void> {
    run.signal.throwIfAborted();
    const missing = await this.hold.whileHeld(index, run, (tx, { servingIndexId }) =>
      new SearchIndexRepository(tx).claimMissing(index.id, servingIndexId, run.id),
    );
    const [from, to] = parted ? [CHILDREN_SHARE, EMBEDDED_BEHIND_PARTS] : [0, EMBEDDED];
    const onProgress = (share: number) => run.report(from + share * (to - from));
    const { embedded, skipped } = await this.embedder.embedPending(run, { jobId: run.id, onProgress });
    if (missing > 0 && embedded + skipped === 0) {
      throw new Error(`the ${missing} documents that the index lacks could not be embedded`);
    }
  }

  /** @returns whether nothing is missing, so that the index needs no other look */
  private async complete(index: SearchIndexRow, run: JobRun): Promise<boolean> {
    await this.hold.whileHeld(index, run, (tx) => new SearchIndexRepository(tx).noteAbsent(index, run.id));
    await this.embedder.embedPending(run, { jobId: run.id, onProgress: () => Promise.resolve() });
    const probed = await this.hnsw.buildAndProbe(index, run);
    await this.hold.whileHeld(index, run, (tx) => new SearchIndexRepository(tx).update(index, probed));
    return true;
  }

  /** @returns false when searches would miss what they find now */
  private serve(index: SearchIndexRow, run: JobRun, whole: boolean): Promise<boolean> {
    if (!whole) return Promise.resolve(false);
    return this.hold.whileHeld(index, run, async (tx, collection) => {
      const missing = await new SearchIndexRepository(tx).countMissing(index.id, collection.servingIndexId);
      if (missing > (collection.servingIndexId === null ? MISSING_AT_FIRST : 0)) return false;
      await switchServing(tx, collection, index);
      return true;
    });
  }

  private async reportEnd(index: SearchIndexRow, run: JobRun): Promise<ReindexOutcome> {
    const [collection] = await new CollectionRepository(this.database.dataSource.manager).byIds([
      index.collectionId,
    ]);
    const { id, recall } = index;
    reportReindexEnd({ job: run.id, collection: collection!.name, status: "COMPLETED", index: id, recall });
    return { index: id, recall };
  }
}
