import type { Database } from "../../ports/database.js";
import type { JobRow, JobRun, JobService } from "../operations/index.js";
import { CollectionRepository } from "./collection.repository.js";
import type { HnswIndexService } from "./hnsw-index.service.js";
import { indexVectorsJob } from "./reindex.jobs.js";
import type { SearchIndexRow } from "./search-index.entity.js";
import { SearchIndexRepository } from "./search-index.repository.js";

const SCHEDULE = "schedule";

/**
 * Gives an HNSW index to what was too small for one when it began to serve. Built over what is there already it
 * takes a fraction of the time that it would take to grow document by document.
 */
export class IndexGrowthService {
  constructor(
    private readonly database: Database,
    private readonly jobs: JobService,
    private readonly hnsw: HnswIndexService,
  ) {}

  /** Starts a job for each index that has grown large enough; one that failed is tried again on demand only. */
  async startDue(): Promise<void> {
    if (this.database.vectorSearch === "exact") return;
    for (const index of await new SearchIndexRepository(this.database.dataSource.manager).unindexed()) {
      if (!(await this.hnsw.isWorthwhile(index))) continue;
      const job = await this.start(index);
      if (job) await this.jobs.dispatch(job);
    }
  }

  /** The job. */
  async build(id: number, run: JobRun): Promise<{ recall: number } | undefined> {
    const index = await new SearchIndexRepository(this.database.dataSource.manager).find(id);
    if (!index || index.state === "DISCARDED") return undefined;
    const probed = await this.hnsw.buildAndProbe(index, run);
    await this.database.transaction(async (tx) => {
      await this.jobs.assertHeld(tx, run);
      const collections = new CollectionRepository(tx);
      await collections.lock(index.collectionId);
      await new SearchIndexRepository(tx).update(index, probed);
      await collections.grow(index.collectionId);
    });
    return { recall: probed.recall };
  }

  private start({ id, collectionId }: SearchIndexRow): Promise<JobRow | undefined> {
    return this.database.transaction(async (tx) => {
      await new CollectionRepository(tx).lock(collectionId);
      const indexes = new SearchIndexRepository(tx);
      const index = await indexes.find(id);
      if (!index || index.state === "DISCARDED" || index.hnswJobId !== null) return undefined;
      const { job } = await this.jobs.create(tx, indexVectorsJob, { index: id }, SCHEDULE);
      await indexes.update(index, { hnswJobId: job.id });
      return job;
    });
  }
}
