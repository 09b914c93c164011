import { randomUUID } from "node:crypto";
import { IsNull } from "typeorm";
import type { Transaction } from "../../ports/database.js";
import type { PageRequest } from "../../shared/pagination.js";
import type { Page } from "../../shared/pagination.js";
import { JobRow } from "./job.entity.js";
import type { JobState } from "./job.entity.js";
import type { JobDefinition } from "./job-definition.js";
import { newestFirst } from "./newest-first.repository.js";
import { OutboxRepository } from "./outbox.repository.js";
import type { EventPosition } from "./outbox.repository.js";

/** Rows that one sweep takes. */
const SWEPT_AT_ONCE = 1_000;

/** Where a new job stands among others. */
export interface JobFamily {
  parentId?: string;
  /** Children that must complete before it is delivered. */
  awaits?: number;
}

type Time = "startedAt" | "finishedAt";

/** Times are the database's, whose clock all processes share: `"now"` stands for it. */
export type JobChanges = Partial<Omit<JobRow, Time | "touchedAt">> & { [T in Time]?: "now" | null };

export interface JobFilter {
  kind?: string;
  state?: JobState;
  parentId?: string;
}

/** The rows of jobs, each change with its event. */
export class JobRepository {
  constructor(private readonly tx: Transaction) {}

  async create<P extends Record<string, unknown>>(
    definition: JobDefinition<P>,
    payload: P,
    createdBy: string,
    traceContext: Record<string, string>,
    family: JobFamily = {},
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
      ...family,
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

  /** Locks a job after its parent, in the one order in which everybody does. */
  async lockWithParent({
    id,
    parentId,
  }: Pick<JobRow, "id" | "parentId">): Promise<{ job: JobRow | null; parent: JobRow | null }> {
    const parent = parentId === null ? null : await this.lock(parentId);
    return { parent, job: await this.lock(id) };
  }

  /** Locks a parent's children; it is locked itself. */
  lockChildren(parentId: string): Promise<JobRow[]> {
    return this.tx.find(JobRow, {
      where: { parentId },
      order: { id: "ASC" },
      lock: { mode: "pessimistic_write" },
    });
  }

  /** Children that have yet to be worked on, or to end, oldest first. */
  openChildren(parentId: string): Promise<JobRow[]> {
    return this.tx.find(JobRow, { where: { parentId, finishedAt: IsNull() }, order: { createdAt: "ASC" } });
  }

  countChildren(parentId: string): Promise<number> {
    return this.tx.countBy(JobRow, { parentId });
  }

  async list(filter: JobFilter, page: PageRequest): Promise<Page<JobRow>> {
    const query = this.tx.createQueryBuilder(JobRow, "job");
    if (filter.kind !== undefined) query.andWhere("job.kind = :kind", { kind: filter.kind });
    if (filter.state !== undefined) query.andWhere("job.state = :state", { state: filter.state });
    if (filter.parentId !== undefined) query.andWhere("job.parentId = :parentId", filter);
    return newestFirst(query, page, "createdAt");
  }

  /** Writes the changes and appends the event that tells of them. */
  async update(job: JobRow, changes: JobChanges): Promise<EventPosition> {
    const { startedAt, finishedAt, ...values } = changes;
    const timed = Object.entries({ startedAt, finishedAt, touchedAt: "now" as const })
      .filter(([, time]) => time !== undefined)
      .map(([name, time]) => [name, time === "now" ? () => "clock_timestamp()" : null] as const);
    const { raw } = await this.tx
      .createQueryBuilder()
      .update(JobRow)
      .set({ ...values, ...Object.fromEntries(timed) } as never)
      .where("id = :id", { id: job.id })
      .returning("started_at, finished_at, touched_at")
      .execute();
    const [times] = raw as [{ started_at: Date | null; finished_at: Date | null; touched_at: Date }];
    const { started_at, finished_at, touched_at } = times;
    Object.assign(job, values, { startedAt: started_at, finishedAt: finished_at, touchedAt: touched_at });
    return this.announce(job);
  }

  /** Seconds, by the database's clock, for which the claimant of an ACTIVE job may still be silent. */
  async leaseLeft(id: string, leaseMs: number): Promise<number> {
    const [row] = await this.tx.query<{ seconds: number }[]>(
      `SELECT extract(epoch FROM touched_at - clock_timestamp())::float8 + $2 AS seconds FROM jobs WHERE id = $1`,
      [id, leaseMs / 1000],
    );
    return row?.seconds ?? 0;
  }

  /**
   * Saves progress if the claimant still holds the job.
   * @returns false when it was cancelled, finished or taken over
   */
  async touch(id: string, fence: number, progress?: number): Promise<boolean> {
    const [[held]] = await this.tx.query<[{ kind: string; progress: number }[], number]>(
      `UPDATE jobs SET touched_at = clock_timestamp(), progress = coalesce($3, progress)
       WHERE id = $1 AND fence = $2 AND state = 'ACTIVE' RETURNING kind, progress`,
      [id, fence, progress ?? null],
    );
    if (held && progress !== undefined) await this.announce({ id, state: "ACTIVE", ...held });
    return held !== undefined;
  }

  /** Deliveries that end from here on without getting further are counted anew. */
  async noteCheckpoint(id: string): Promise<void> {
    await this.tx.query(
      "UPDATE jobs SET attempts = 1, lost = 0 WHERE id = $1 AND (attempts > 1 OR lost > 0)",
      [id],
    );
  }

  /**
   * Takes the jobs that the transport may have lost: those that have waited for so long, and those whose claimant
   * has been silent for so long, from which they are taken away. Others who sweep at the same time get none of them.
   * @param kinds that this process knows
   * @param except ids that this process works on
   */
  async takeLost(
    silentSeconds: number,
    kinds: readonly string[],
    except: readonly string[],
  ): Promise<JobRow[]> {
    const [taken] = await this.tx.query<[{ id: string; was: JobState }[], number]>(
      `UPDATE jobs j SET touched_at = clock_timestamp(),
         state = CASE lost.state WHEN 'ACTIVE' THEN 'WAITING' ELSE lost.state END,
         fence = j.fence + (lost.state = 'ACTIVE')::int, lost = j.lost + (lost.state = 'ACTIVE')::int
       FROM (SELECT id, state FROM jobs
         WHERE state IN ('WAITING', 'ACTIVE', 'DELAYED') AND awaits = 0
           AND touched_at < clock_timestamp() - make_interval(secs => $1)
           AND kind = ANY($2) AND id <> ALL($3::uuid[])
         ORDER BY created_at LIMIT ${SWEPT_AT_ONCE} FOR UPDATE SKIP LOCKED) lost
       WHERE j.id = lost.id RETURNING j.id, lost.state AS was`,
      [silentSeconds, kinds, except],
    );
    const rows = await this.byIds(taken.map(({ id }) => id));
    for (const { id, was } of taken) if (was === "ACTIVE") await this.announce(rows.get(id)!);
    return [...rows.values()];
  }

  /** The oldest that wait for a delivery or for their children, behind another; their children come with them. */
  waiting(kinds: readonly string[], after?: JobRow): Promise<JobRow[]> {
    const query = this.tx
      .createQueryBuilder(JobRow, "job")
      .where("job.state = 'WAITING' AND job.parentId IS NULL AND job.kind = ANY(:kinds)", { kinds });
    if (after) {
      const { createdAt: at, id } = after;
      query.andWhere("(job.createdAt, job.id) > (:at, :id)", { at, id });
    }
    return query.orderBy("job.createdAt").addOrderBy("job.id").limit(SWEPT_AT_ONCE).getMany();
  }

  private announce(job: Pick<JobRow, "id" | "kind" | "state" | "progress">): Promise<EventPosition> {
    return new OutboxRepository(this.tx).append({
      topic: "job",
      subject: { job: job.id, kind: job.kind },
      payload: { job: job.id, state: job.state, progress: job.progress },
    });
  }
}
