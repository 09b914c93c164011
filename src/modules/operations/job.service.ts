import type { Database, Transaction } from "../../ports/database.js";
import type { JobQueue, QueuedJob } from "../../ports/job-queue.js";
import { UnrecoverableJobError } from "../../ports/job-queue.js";
import { NotFoundError, PreconditionFailedError } from "../../shared/errors.js";
import type { Page, PageRequest } from "../../shared/pagination.js";
import type { Logger } from "../../telemetry/logger.js";
import { currentTraceContext } from "../../telemetry/tracing.js";
import { noteAudited } from "../audit/index.js";
import type { Caller } from "../identity/index.js";
import type { JobRow } from "./job.entity.js";
import { JobRepository } from "./job.repository.js";
import type { JobFilter } from "./job.repository.js";
import { TRANSIENT_ATTEMPTS } from "./job-delivery.service.js";
import type { JobDefinition, JobRun } from "./job-definition.js";
import type { JobLifecycle } from "./job-lifecycle.js";
import type { JobHooks, JobRegistry } from "./job-registry.js";
import type { EventPosition } from "./outbox.repository.js";

/** A job whose row was silent for as many leases has been lost by the transport. */
const LOST_AFTER_LEASES = 3;

export interface CreatedJob {
  job: JobRow;
  position: EventPosition;
}

/** Jobs as requests see them: asked for, watched, cancelled and tried again. */
export class JobService {
  constructor(
    private readonly database: Database,
    private readonly queue: JobQueue,
    private readonly registry: JobRegistry,
    private readonly lifecycle: JobLifecycle,
    private readonly logger: Logger,
  ) {}

  /** Makes the job known to this process. */
  register<P extends Record<string, unknown>>(definition: JobDefinition<P>, hooks: JobHooks = {}): void {
    this.registry.register(definition, hooks);
  }

  /** Creates the row; hand the job to `dispatch` after the transaction has committed. */
  async create<P extends Record<string, unknown>>(
    tx: Transaction,
    definition: JobDefinition<P>,
    payload: P,
    createdBy: string,
  ): Promise<CreatedJob> {
    const created = await new JobRepository(tx).create(definition, payload, createdBy, currentTraceContext());
    noteAudited({ job: created.job.id });
    return created;
  }

  /**
   * `create` for a job that is delivered once its parts have completed. All are of one queue, and `dispatch` of the
   * job hands over all of them.
   */
  async createFamily<P extends Record<string, unknown>, C extends Record<string, unknown>>(
    tx: Transaction,
    whole: { definition: JobDefinition<P>; payload: P },
    part: { definition: JobDefinition<C>; payloads: readonly C[] },
    createdBy: string,
  ): Promise<CreatedJob> {
    const jobs = new JobRepository(tx);
    const trace = currentTraceContext();
    const family = { awaits: part.payloads.length };
    const created = await jobs.create(whole.definition, whole.payload, createdBy, trace, family);
    for (const payload of part.payloads) {
      await jobs.create(part.definition, payload, createdBy, trace, { parentId: created.job.id });
    }
    return created;
  }

  /** Hands committed new jobs to the transport. A failure is no loss: the sweep does it again. */
  dispatch(...jobs: JobRow[]): Promise<void> {
    return this.handOver(jobs, { again: false });
  }

  private async handOver(jobs: readonly JobRow[], { again }: { again: boolean }): Promise<void> {
    try {
      const alone = jobs.filter(({ awaits }) => awaits === 0);
      if (alone.length > 0) await this.queue.enqueue(alone.map((job) => this.toQueued(job, again)));
      for (const parent of jobs.filter(({ awaits }) => awaits > 0)) await this.handOverFlow(parent, again);
    } catch (error) {
      this.logger.warn(
        { event: "job.dispatch_failed", err: error, count: jobs.length },
        "the queue did not take jobs",
      );
    }
  }

  private async handOverFlow(parent: JobRow, again: boolean): Promise<void> {
    const children = await this.jobs().openChildren(parent.id);
    await this.queue.enqueueFlow(
      this.toQueued(parent, again),
      children.map((child) => this.toQueued(child, again)),
    );
  }

  /**
   * Enqueues again what the transport has lost, and what workers have left that fell silent. Runs on a schedule
   * and at start.
   */
  async sweep(silentSeconds = (LOST_AFTER_LEASES * this.registry.leaseMs) / 1000): Promise<number> {
    const { registry } = this;
    const lost = await this.database.transaction((tx) =>
      new JobRepository(tx).takeLost(silentSeconds, registry.kinds(), [...registry.running.keys()]),
    );
    if (lost.length > 0) {
      this.logger.info({ event: "job.swept", count: lost.length }, "jobs handed to the queue again");
      await this.handOver(lost, { again: true });
    }
    return lost.length;
  }

  /**
   * Enqueues again all that waits, which the transport may have forgotten, or not have taken while it was away.
   * What this cannot do, the sweep does later.
   */
  async redispatch(): Promise<void> {
    this.logger.info(
      { event: "job.redispatched" },
      "the queue's engine is back: what waits is enqueued again",
    );
    let after: JobRow | undefined;
    do {
      const waiting = await this.jobs()
        .waiting(this.registry.kinds(), after)
        .catch(() => []);
      if (waiting.length > 0) await this.handOver(waiting, { again: true });
      after = waiting.at(-1);
    } while (after);
  }

  /**
   * Locks the job's row for the transaction that writes its results.
   * @throws {UnrecoverableJobError} when the job was cancelled or another worker has taken it over
   */
  async assertHeld(tx: Transaction, run: Pick<JobRun, "id" | "fence">): Promise<void> {
    const job = await new JobRepository(tx).lock(run.id);
    if (job?.fence !== run.fence || job.state !== "ACTIVE") {
      throw new UnrecoverableJobError("the job was cancelled or taken over");
    }
  }

  /** `assertHeld` for results that the next delivery need not compute again: the attempts before them are forgiven. */
  async checkpoint(tx: Transaction, run: Pick<JobRun, "id" | "fence">): Promise<void> {
    await this.assertHeld(tx, run);
    await new JobRepository(tx).noteCheckpoint(run.id);
  }

  async find(id: string): Promise<JobRow | null> {
    return this.jobs().find(id);
  }

  async byIds(ids: readonly string[]): Promise<(JobRow | Error)[]> {
    const found = await this.jobs().byIds(ids);
    return ids.map((id) => found.get(id) ?? new NotFoundError("no such Job"));
  }

  list(filter: JobFilter, page: PageRequest): Promise<Page<JobRow>> {
    return this.jobs().list(filter, page);
  }

  /**
   * @param caller whose grants must allow it; absent for the platform itself
   * @throws {PreconditionFailedError} when it has not failed and was not cancelled, or is part of another job
   */
  async retry(id: string, caller?: Caller): Promise<CreatedJob> {
    const { job, position } = await this.database.transaction(async (tx) => {
      const found = await this.lockWhole(tx, id);
      if (caller) await this.registry.hooksOf(found.kind).asked?.(tx, found, "retry", caller);
      if (found.state !== "FAILED" && found.state !== "CANCELLED") {
        throw new PreconditionFailedError(
          `the job is ${found.state}; only a FAILED or CANCELLED one can be retried`,
        );
      }
      return { job: found, ...(await this.lifecycle.restart(tx, found)) };
    });
    await this.handOver([job], { again: true });
    return { job, position };
  }

  /**
   * @param caller whose grants must allow it; absent for the platform itself
   * @throws {PreconditionFailedError} when it has ended, or is part of another job
   */
  async cancel(id: string, caller?: Caller): Promise<CreatedJob> {
    const { job, position, ended } = await this.database.transaction(async (tx) => {
      const found = await this.lockWhole(tx, id);
      if (caller) await this.registry.hooksOf(found.kind).asked?.(tx, found, "cancel", caller);
      if (found.finishedAt) throw new PreconditionFailedError(`the job is ${found.state} already`);
      return { job: found, ...(await this.lifecycle.cancel(tx, found)) };
    });
    for (const each of ended) {
      this.registry.running.get(each.id)?.abort(new Error("cancelled"));
      await this.queue.remove(each.queue, each.id).catch(() => undefined);
    }
    return { job, position };
  }

  private toQueued(job: JobRow, again: boolean): QueuedJob {
    return {
      id: job.id,
      name: job.kind,
      queue: job.queue,
      // The row decides when it is enough.
      attempts: Math.max(TRANSIENT_ATTEMPTS, job.maxAttempts),
      priority: this.registry.definitionOf(job.kind)?.priority,
      traceContext: job.traceContext,
      again,
    };
  }

  /** @throws {PreconditionFailedError} for a part of another job, which lives and ends with that */
  private async lockWhole(tx: Transaction, id: string): Promise<JobRow> {
    const job = await new JobRepository(tx).lock(id);
    if (!job) throw new NotFoundError("input.job: no such Job", { field: "input.job" });
    if (job.parentId === null) return job;
    throw new PreconditionFailedError("input.job: is part of another job; name that one", {
      field: "input.job",
    });
  }

  private jobs(): JobRepository {
    return new JobRepository(this.database.dataSource.manager);
  }
}
