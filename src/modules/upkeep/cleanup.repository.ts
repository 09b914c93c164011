import type { Transaction } from "../../ports/database.js";

/** Jobs as a cleanup sees them. */
export class CleanupRepository {
  constructor(private readonly tx: Transaction) {}

  /** Ended before that time, and nothing answers with them any more. The last of each kind that succeeded stays. */
  expiredJobs(before: Date): Promise<{ id: string; kind: string }[]> {
    return this.tx.query(
      `SELECT id, kind FROM jobs j WHERE finished_at < $1
         AND NOT EXISTS (SELECT FROM jobs p WHERE p.id = j.parent_id AND (p.finished_at >= $1) IS NOT FALSE)
         AND NOT EXISTS (SELECT FROM jobs c WHERE c.parent_id = j.id AND (c.finished_at >= $1) IS NOT FALSE)
         AND NOT EXISTS (SELECT FROM idempotency_keys k WHERE k.outcome ->> 'job' = j.id::text)
         AND NOT EXISTS (SELECT FROM collections c WHERE c.reindex_job_id = j.id)
         AND NOT EXISTS (SELECT FROM search_indexes i WHERE j.id IN (i.job_id, i.hnsw_job_id))
         AND NOT EXISTS (SELECT FROM pending_embeddings p WHERE p.job_id = j.id)
         AND id NOT IN (SELECT DISTINCT ON (kind) id FROM jobs WHERE state = 'COMPLETED'
           ORDER BY kind, created_at DESC)
       ORDER BY finished_at, id`,
      [before],
    );
  }

  async removeJobs(ids: readonly string[]): Promise<void> {
    await this.tx.query("DELETE FROM jobs WHERE id = ANY($1::uuid[]) AND finished_at IS NOT NULL", [ids]);
  }
}
