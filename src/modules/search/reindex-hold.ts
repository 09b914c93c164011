import type { Database, Transaction } from "../../ports/database.js";
import { UnrecoverableJobError } from "../../ports/job-queue.js";
import type { JobRun, JobService } from "../operations/index.js";
import type { CollectionRow } from "./collection.entity.js";
import { CollectionRepository } from "./collection.repository.js";
import type { SearchIndexRow } from "./search-index.entity.js";
import { SearchIndexRepository } from "./search-index.repository.js";

/** Documents that one transaction notes as pending. */
export const FILL_AT_ONCE = 2_000;

/** What a reindex and its parts do counts only while its index is wanted. */
export class ReindexHold {
  constructor(
    private readonly database: Database,
    private readonly jobs: JobService,
  ) {}

  /**
   * Works on the index of a reindex. Whoever took that away may have been killed before it could cancel the job:
   * then this does.
   * @throws {UnrecoverableJobError} when the index was taken away
   */
  async onIndexOf<T>(reindex: string, work: (index: SearchIndexRow) => Promise<T>): Promise<T> {
    try {
      const index = await this.indexes().ofJob(reindex);
      if (!index) throw superseded();
      return await work(index);
    } catch (error) {
      if (!(await this.indexes().ofJob(reindex))) await this.jobs.cancel(reindex).catch(() => undefined);
      throw error;
    }
  }

  /**
   * A short transaction of a job that is still ours, on an index that is still wanted.
   * @param index as its reindex has it
   */
  whileHeld<T>(
    index: SearchIndexRow,
    run: JobRun,
    work: (tx: Transaction, collection: CollectionRow) => Promise<T>,
  ): Promise<T> {
    return this.database.transaction(async (tx) => {
      await this.jobs.assertHeld(tx, run);
      const collection = await new CollectionRepository(tx).lock(index.collectionId);
      const now = await new SearchIndexRepository(tx).find(index.id);
      if (!collection || now?.jobId !== index.jobId) throw superseded();
      return work(tx, collection);
    });
  }

  private indexes(): SearchIndexRepository {
    return new SearchIndexRepository(this.database.dataSource.manager);
  }
}

function superseded(): UnrecoverableJobError {
  return new UnrecoverableJobError("a later decision on the collection's embedder took its place");
}
