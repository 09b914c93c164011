import type { Database, Transaction } from "../../ports/database.js";
import { UnrecoverableJobError } from "../../ports/job-queue.js";
import { reportReindexEnd } from "../../telemetry/events.js";
import type { JobRun, JobService } from "../operations/index.js";
import type { CollectionRow } from "./collection.entity.js";
import { CollectionRepository } from "./collection.repository.js";
import type { DiscardedIndexService } from "./discarded-index.service.js";
import type { DocumentEmbedder } from "./document-embedder.service.js";
import type { HnswIndexService } from "./hnsw-index.service.js";
import type { SearchIndexRow } from "./search-index.entity.js";
import { SearchIndexRepository } from "./search-index.repository.js";
import { switchServing } from "./serving-switch.js";

export interface ReindexOutcome extends Record<string, unknown> {
  index: number;
  /** Of the index against exact search. */
  recall: number | null;
}

/** Documents that one transaction notes as pending. */
const FILL_AT_ONCE = 2_000;
/** Where nothing has served before, so many documents may still wait when the index begins to. */
const MISSING_AT_FIRST = 256;
/** Progress that embedding makes up; the rest is for building, probing and the switch. */
const EMBEDDING_SHARE = 0.9;

/** Carries out reindexes: fills the shadow index, checks it, and lets it serve once it misses nothing. */
export class IndexBuilder {
  constructor(
    private readonly database: Database,
    private readonly jobs: JobService,
    private readonly embedder: DocumentEmbedder,
    private readonly hnsw: HnswIndexService,
    private readonly discarded: DiscardedIndexService,
  ) {}

  /** The job; started again after a kill, it goes on where it was. */
  async build(run: JobRun): Promise<ReindexOutcome> {
    try {
      return await this.lead(run);
    } catch (error) {
      // Whoever took its index away may have been killed before it could cancel the job.
      if (!(await this.indexes().ofJob(run.id))) await this.jobs.cancel(run.id).catch(() => undefined);
      throw error;
    }
  }

  private async lead(run: JobRun): Promise<ReindexOutcome> {
    const index = await this.indexes().ofJob(run.id);
    if (!index) throw superseded();
    if (index.state !== "SERVING") {
      await this.fill(index, run);
      let whole = index.state === "KEPT";
      while (!(await this.serve(index, run, whole))) {
        await this.embedMissing(index, run);
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
      await this.whileHeld(index, run, (tx) =>
        new SearchIndexRepository(tx).fill(index, run.id, FILL_AT_ONCE),
      );
    }
  }

  private async embedMissing(index: SearchIndexRow, run: JobRun): Promise<void> {
    run.signal.throwIfAborted();
    const missing = await this.whileHeld(index, run, (tx, { servingIndexId }) =>
      new SearchIndexRepository(tx).claimMissing(index.id, servingIndexId, run.id),
    );
    const onProgress = (share: number) => run.report(share * EMBEDDING_SHARE);
    const { embedded, skipped } = await this.embedder.embedPending(run, { jobId: run.id, onProgress });
    if (missing > 0 && embedded + skipped === 0) {
      throw new Error(`the ${missing} documents that the index lacks could not be embedded`);
    }
  }

  /** @returns whether nothing is missing, so that the index needs no other look */
  private async complete(index: SearchIndexRow, run: JobRun): Promise<boolean> {
    await this.whileHeld(index, run, (tx) => new SearchIndexRepository(tx).noteAbsent(index, run.id));
    await this.embedder.embedPending(run, { jobId: run.id, onProgress: () => Promise.resolve() });
    const probed = await this.hnsw.buildAndProbe(index, run);
    await this.whileHeld(index, run, (tx) => new SearchIndexRepository(tx).update(index, probed));
    return true;
  }

  /** @returns false when searches would miss what they find now */
  private serve(index: SearchIndexRow, run: JobRun, whole: boolean): Promise<boolean> {
    if (!whole) return Promise.resolve(false);
    return this.whileHeld(index, run, async (tx, collection) => {
      const missing = await new SearchIndexRepository(tx).countMissing(index.id, collection.servingIndexId);
      if (missing > (collection.servingIndexId === null ? MISSING_AT_FIRST : 0)) return false;
      await switchServing(tx, collection, index);
      return true;
    });
  }

  /** A short transaction of a job that is still ours, on an index that is still wanted. */
  private whileHeld<T>(
    index: SearchIndexRow,
    run: JobRun,
    work: (tx: Transaction, collection: CollectionRow) => Promise<T>,
  ): Promise<T> {
    return this.database.transaction(async (tx) => {
      await this.jobs.assertHeld(tx, run);
      const collection = await new CollectionRepository(tx).lock(index.collectionId);
      const now = await new SearchIndexRepository(tx).find(index.id);
      if (!collection || now?.jobId !== run.id) {
        throw superseded();
      }
      return work(tx, collection);
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

  private indexes(): SearchIndexRepository {
    return new SearchIndexRepository(this.database.dataSource.manager);
  }
}

function superseded(): UnrecoverableJobError {
  return new UnrecoverableJobError("a later decision on the collection's embedder took its place");
}
