import { randomUUID } from "node:crypto";
import type { Transaction } from "../../ports/database.js";
import type { PageRequest } from "../../shared/pagination.js";
import { toPage } from "../../shared/pagination.js";
import type { Page } from "../../shared/pagination.js";
import { JobRow } from "./job.entity.js";
import type { JobState } from "./job.entity.js";
import type { JobDefinition } from "./job-definition.js";
import { OutboxRepository } from "./outbox.repository.js";
import type { EventPosition } from "./outbox.repository.js";

/** The rows of jobs, each change with its event. */
export class JobRepository {
  constructor(private readonly tx: Transaction) {}

  async create<P extends Record<string, unknown>>(
    definition: JobDefinition<P>,
    payload: P,
    createdBy: string,
    traceContext: Record<string, string>,
  ): Promise<{ job: JobRow; position: EventPosition }> {
    const id = randomUUID();
    await this.tx.insert(JobRow, {
      id,
      kind: definition.name,
      queue: definition.queue,
      state: "WAITING",
      payload: payload as never,
      maxAttempts: definition.attempts,
      createdBy,
      traceContext,
    });
    const job = await this.tx.findOneByOrFail(JobRow, { id });
    return { job, position: await this.announce(job) };
  }

  find(id: string): Promise<JobRow | null> {
    return this.tx.findOneBy(JobRow, { id });
  }

  async byIds(ids: readonly string[]): Promise<Map<string, JobRow>> {
    const rows = await this.tx
      .createQueryBuilder(JobRow, "job")
      .where("job.id = ANY(:ids)", { ids })
      .getMany();
    return new Map(rows.map((row) => [row.id, row]));
  }

  /** Locks the row until the transaction ends. */
  lock(id: string): Promise<JobRow | null> {
    return this.tx.findOne(JobRow, { where: { id }, lock: { mode: "pessimistic_write" } });
  }

  async list(filter: { kind?: string; state?: JobState }, page: PageRequest): Promise<Page<JobRow>> {
    const query = this.tx.createQueryBuilder(JobRow, "job");
    if (filter.kind !== undefined) query.andWhere("job.kind = :kind", { kind: filter.kind });
    if (filter.state !== undefined) query.andWhere("job.state = :state", { state: filter.state });
    const count = query.clone();
    if (page.after) {
      query.andWhere("(job.createdAt, job.id) < (:at, :id)", { at: page.after[0], id: page.after[1] });
    }
    const rows = await query
      .orderBy("job.createdAt", "DESC")
      .addOrderBy("job.id", "DESC")
      .limit(page.limit + 1)
      .getMany();
    return toPage(
      rows,
      page,
      (row) => [row.createdAt.toISOString(), row.id],
      () => count.getCount(),
    );
  }

  /** Writes the changes and appends the event that tells of them. */
  async update(job: JobRow, changes: Partial<JobRow>): Promise<EventPosition> {
    Object.assign(job, changes, { touchedAt: new Date() });
    await this.tx.update(JobRow, job.id, { ...changes, touchedAt: job.touchedAt } as never);
    return this.announce(job);
  }

  /**
   * Saves progress if the claimant still holds the job.
   * @returns false when it was cancelled, finished or taken over
   */
  async touch(id: string, fence: number, progress?: number): Promise<boolean> {
    const [rows] = await this.tx.query<[unknown[], number]>(
      `UPDATE jobs SET touched_at = now(), progress = coalesce($3, progress)
       WHERE id = $1 AND fence = $2 AND state = 'ACTIVE' RETURNING id`,
      [id, fence, progress ?? null],
    );
    if (rows.length === 0) return false;
    if (progress !== undefined) {
      const job = await this.find(id);
      if (job) await this.announce(job);
    }
    return true;
  }

  /** Jobs that the transport may have lost: waiting, or active without a sign of life. */
  unfinished(silentSeconds: number): Promise<JobRow[]> {
    return this.tx
      .createQueryBuilder(JobRow, "job")
      .where("job.state IN ('WAITING', 'ACTIVE', 'DELAYED')")
      .andWhere("job.touchedAt < now() - make_interval(secs => :silentSeconds)", { silentSeconds })
      .orderBy("job.createdAt")
      .limit(1000)
      .getMany();
  }

  private announce(job: JobRow): Promise<EventPosition> {
    return new OutboxRepository(this.tx).append({
      topic: "job",
      subject: { job: job.id, kind: job.kind },
      payload: { job: job.id, state: job.state, progress: job.progress },
    });
  }
}
