import type { Transaction } from "../../ports/database.js";
import type { JobRow } from "./job.entity.js";
import { JobRepository } from "./job.repository.js";
import type { JobRegistry } from "./job-registry.js";
import type { EventPosition } from "./outbox.repository.js";

/** What came of the wish to work on a job. */
export type Claim =
  | { job: JobRow }
  /** Another worker has it, and was alive so short a while ago. */
  | { heldForSeconds: number }
  /** So many deliveries have ended with their worker that the next one would, too. */
  | { hopeless: JobRow }
  /** It has ended, waits for others, or is of a kind that this process does not know. */
  | { none: "ended" | "waiting" | "unknown" };

/** Share of a parent's progress that its children make up. */
export const CHILDREN_SHARE = 0.9;

/** The steps of jobs and of those that wait for them, each in its caller's transaction. */
export class JobLifecycle {
  constructor(private readonly registry: JobRegistry) {}

  async claim(tx: Transaction, id: string): Promise<Claim> {
    const jobs = new JobRepository(tx);
    const job = await jobs.lock(id);
    if (!job || job.finishedAt) return { none: "ended" };
    if (job.awaits > 0) return { none: "waiting" };
    if (!this.registry.definitionOf(job.kind)) return { none: "unknown" };
    const takenOver = job.state === "ACTIVE";
    const leaseLeft = takenOver ? await jobs.leaseLeft(id, this.registry.leaseMs) : 0;
    if (leaseLeft > 0) return { heldForSeconds: leaseLeft };
    const lost = job.lost + Number(takenOver);
    if (lost >= job.maxAttempts) return { hopeless: job };
    await jobs.update(job, {
      state: "ACTIVE",
      fence: job.fence + 1,
      attempts: job.attempts + 1,
      lost,
      ...(job.startedAt ? {} : { startedAt: "now" }),
    });
    return { job };
  }

  /** @returns false when the claimant has lost the job meanwhile */
  async complete(tx: Transaction, claimed: JobRow, result: Record<string, unknown> | null): Promise<boolean> {
    const jobs = new JobRepository(tx);
    const { job, parent } = await jobs.lockWithParent(claimed);
    if (job?.fence !== claimed.fence || job.state !== "ACTIVE") return false;
    const end = { result, error: null, finishedAt: "now" } as const;
    await jobs.update(job, { state: "COMPLETED", progress: 1, ...end });
    if (parent && !parent.finishedAt) await this.countCompleted(tx, parent);
    return true;
  }

  private async countCompleted(tx: Transaction, parent: JobRow): Promise<void> {
    const jobs = new JobRepository(tx);
    const all = await jobs.countChildren(parent.id);
    const awaits = parent.awaits - 1;
    const completed = all - awaits;
    await jobs.update(parent, { awaits, progress: (CHILDREN_SHARE * completed) / all });
    await this.registry.hooksOf(parent.kind).childCompleted?.(tx, parent, { completed, all });
  }

  /**
   * Ends a locked job; a child takes its parent with it, and what else the parent waits for.
   * @returns all that has ended
   */
  async fail(tx: Transaction, job: JobRow, parent: JobRow | null, error: string): Promise<JobRow[]> {
    await this.end(tx, job, { state: "FAILED", error });
    if (!parent || parent.finishedAt) return [job];
    const siblings = await this.cancelChildren(tx, parent);
    await this.end(tx, parent, { state: "FAILED", error: `a part of it, ${job.kind}, failed: ${error}` });
    return [job, ...siblings, parent];
  }

  /** Ends a locked job with all that it waits for. */
  async cancel(tx: Transaction, job: JobRow): Promise<{ ended: JobRow[]; position: EventPosition }> {
    const children = await this.cancelChildren(tx, job);
    const position = await this.end(tx, job, { state: "CANCELLED" });
    return { ended: [...children, job], position };
  }

  /** Runs a locked job again, with those of its children whose work is not there. */
  async restart(tx: Transaction, job: JobRow): Promise<{ position: EventPosition }> {
    const jobs = new JobRepository(tx);
    const children = await jobs.lockChildren(job.id);
    const again = children.filter(
      ({ state, kind }) => state !== "COMPLETED" || this.registry.definitionOf(kind)?.lostWithWhole,
    );
    for (const child of again) await this.requeue(tx, child, 0, 0);
    const completed = children.length - again.length;
    const progress = children.length === 0 ? 0 : (CHILDREN_SHARE * completed) / children.length;
    const position = await this.requeue(tx, job, again.length, progress);
    await this.registry.hooksOf(job.kind).restarted?.(tx, job);
    return { position };
  }

  private requeue(tx: Transaction, job: JobRow, awaits: number, progress: number): Promise<EventPosition> {
    return new JobRepository(tx).update(job, {
      ...{ state: "WAITING", awaits, progress, attempts: 0, lost: 0, error: null },
      // A cancelled delivery may still be winding down: what it says concerns the job no more.
      fence: job.fence + 1,
      startedAt: null,
      finishedAt: null,
    });
  }

  private async cancelChildren(tx: Transaction, parent: JobRow): Promise<JobRow[]> {
    const children = await new JobRepository(tx).lockChildren(parent.id);
    const open = children.filter(({ finishedAt }) => !finishedAt);
    for (const child of open) await this.end(tx, child, { state: "CANCELLED" });
    return open;
  }

  private async end(
    tx: Transaction,
    job: JobRow,
    { state, error }: { state: "FAILED" | "CANCELLED"; error?: string },
  ): Promise<EventPosition> {
    const position = await new JobRepository(tx).update(job, {
      state,
      finishedAt: "now",
      ...(error === undefined ? {} : { error }),
    });
    await this.registry.hooksOf(job.kind).ended?.(tx, job, state);
    return position;
  }
}
