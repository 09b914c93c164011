import type { Transaction } from "../../ports/database.js";
import { JobRow } from "./job.entity.js";
import { OUTBOX_CHANNEL } from "./outbox.repository.js";

export interface EndedJob {
  id: string;
  /** Under which it was worked on. */
  fence: number;
  result: Record<string, unknown> | null;
}

/** Appends an event for every row of `changed`, and wakes the readers of events. */
const TOLD = `events AS (
    INSERT INTO outbox_events (transaction_id, topic, subject, payload, at)
    SELECT pg_current_xact_id()::text::bigint + (SELECT added FROM event_origin), 'job', jsonb_build_object('job', id, 'kind', kind),
      jsonb_build_object('job', id, 'state', state, 'progress', progress), clock_timestamp()
    FROM changed
  ), told AS (SELECT pg_notify('${OUTBOX_CHANNEL}', 'job'))`;

/**
 * Steps of many jobs in one statement, for the plain case alone: what is locked, belongs to a parent or is in any
 * other state is left out, and its caller takes the step by itself.
 */
export class JobBatchRepository {
  constructor(private readonly tx: Transaction) {}

  /** Claims those of the jobs that nobody has claimed before. @returns these by id */
  async claim(ids: readonly string[], kinds: readonly string[]): Promise<Map<string, JobRow>> {
    const rows = await this.tx.query<Record<string, unknown>[]>(
      `WITH free AS (
         SELECT id FROM jobs
         WHERE id = ANY($1::uuid[]) AND kind = ANY($2) AND state = 'WAITING' AND awaits = 0 AND lost = 0
         ORDER BY id FOR UPDATE SKIP LOCKED
       ), changed AS (
         UPDATE jobs SET state = 'ACTIVE', fence = fence + 1, attempts = attempts + 1,
           started_at = coalesce(started_at, clock_timestamp()), touched_at = clock_timestamp()
         FROM free WHERE jobs.id = free.id RETURNING jobs.*
       ), ${TOLD}
       SELECT changed.* FROM changed, told`,
      [ids, kinds],
    );
    return new Map(rows.map((row) => this.toJob(row)).map((job) => [job.id, job]));
  }

  /** What the driver gives needs no conversion, which TypeORM would look for in each column of each row. */
  private toJob(row: Record<string, unknown>): JobRow {
    const { columns } = this.tx.connection.getMetadata(JobRow);
    return Object.assign(
      new JobRow(),
      Object.fromEntries(columns.map(({ propertyName, databaseName }) => [propertyName, row[databaseName]])),
    );
  }

  /** Records the results of those of the jobs that are still held and have no parent. @returns ids of these */
  async complete(ended: readonly EndedJob[]): Promise<Set<string>> {
    const rows = await this.tx.query<{ id: string }[]>(
      `WITH free AS (
         SELECT jobs.id, ended.result
         FROM unnest($1::uuid[], $2::integer[], $3::jsonb[]) AS ended (id, fence, result)
         JOIN jobs ON jobs.id = ended.id AND jobs.fence = ended.fence
         WHERE jobs.state = 'ACTIVE' AND jobs.parent_id IS NULL
         ORDER BY jobs.id FOR UPDATE OF jobs SKIP LOCKED
       ), changed AS (
         UPDATE jobs SET state = 'COMPLETED', progress = 1, result = free.result, error = NULL,
           finished_at = clock_timestamp(), touched_at = clock_timestamp()
         FROM free WHERE jobs.id = free.id RETURNING jobs.id, kind, state, progress
       ), ${TOLD}
       SELECT id FROM changed, told`,
      [
        ended.map(({ id }) => id),
        ended.map(({ fence }) => fence),
        ended.map(({ result }) => (result === null ? null : JSON.stringify(result))),
      ],
    );
    return new Set(rows.map(({ id }) => id));
  }
}
