import type { Database, Transaction } from "../../ports/database.js";
import type { Delivery, JobQueue } from "../../ports/job-queue.js";
import { UnrecoverableJobError } from "../../ports/job-queue.js";
import { NotFoundError, PlatformError, PreconditionFailedError } from "../../shared/errors.js";
import { failpoint } from "../../shared/failpoint.js";
import type { Logger } from "../../telemetry/logger.js";
import { jobDuration } from "../../telemetry/metrics.js";
import { currentTraceContext } from "../../telemetry/tracing.js";
import type { Page, PageRequest } from "../../shared/pagination.js";
import type { JobRow, JobState } from "./job.entity.js";
import { JobRepository } from "./job.repository.js";
import type { JobDefinition, JobRun } from "./job-definition.js";
import type { EventPosition } from "./outbox.repository.js";

/** What a module adds to the transactions that end or restart its jobs. */
export interface JobHooks {
  ended?(tx: Transaction, job: JobRow, state: "FAILED" | "CANCELLED"): Promise<void>;
  restarted?(tx: Transaction, job: JobRow): Promise<void>;
}

export interface JobOutcome {
  result?: Record<string, unknown>;
}

/** A job whose row was silent for as many leases of the transport has been lost by it. */
const LOST_AFTER_LEASES = 3;

const HEARTBEATS_PER_LEASE = 4 / 3;
const PROGRESS_EVERY_MS = 300;

/** Jobs from the request that asks for one to the row that says how it ended. */
export class JobService {
  private readonly definitions = new Map<string, JobDefinition>();
  private readonly hooks = new Map<string, JobHooks>();
  private readonly running = new Map<string, AbortController>();

  constructor(
    private readonly database: Database,
    private readonly queue: JobQueue,
    private readonly logger: Logger,
    /** How long a worker may be silent before the transport gives its jobs to another. */
    private readonly leaseMs: number,
  ) {}

  /** Makes the job known to this process. */
  register<P extends Record<string, unknown>>(definition: JobDefinition<P>, hooks: JobHooks = {}): void {
    this.definitions.set(definition.name, definition);
    this.hooks.set(definition.name, hooks);
  }

  /** Creates the row; hand the job to `dispatch` after the transaction has committed. */
  create<P extends Record<string, unknown>>(
    tx: Transaction,
    definition: JobDefinition<P>,
    payload: P,
    createdBy: string,
  ): Promise<{ job: JobRow; position: EventPosition }> {
    return new JobRepository(tx).create(definition, payload, createdBy, currentTraceContext());
  }

  /** Hands committed jobs to the transport. A failure is no loss: the sweep does it again. */
  async dispatch(...jobs: JobRow[]): Promise<void> {
    try {
      await this.queue.enqueue(
        jobs.map((job) => ({
          id: job.id,
          name: job.kind,
          queue: job.queue,
          attempts: Math.max(1, job.maxAttempts - job.attempts),
          traceContext: job.traceContext,
        })),
      );
    } catch (error) {
      this.logger.warn(
        { event: "job.dispatch_failed", err: error, count: jobs.length },
        "the queue did not take jobs",
      );
    }
  }

  /** Enqueues again what the transport has lost. Runs on a schedule and at start. */
  async sweep(silentSeconds = (LOST_AFTER_LEASES * this.leaseMs) / 1000): Promise<number> {
    const lost = await new JobRepository(this.database.dataSource.manager).unfinished(silentSeconds);
    const ours = lost.filter((job) => this.definitions.has(job.kind) && !this.running.has(job.id));
    if (ours.length > 0) {
      this.logger.info({ event: "job.swept", count: ours.length }, "jobs handed to the queue again");
      await this.dispatch(...ours);
    }
    return ours.length;
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

  async find(id: string): Promise<JobRow | null> {
    return new JobRepository(this.database.dataSource.manager).find(id);
  }

  async byIds(ids: readonly string[]): Promise<(JobRow | Error)[]> {
    const found = await new JobRepository(this.database.dataSource.manager).byIds(ids);
    return ids.map((id) => found.get(id) ?? new NotFoundError("no such Job"));
  }

  list(filter: { kind?: string; state?: JobState }, page: PageRequest): Promise<Page<JobRow>> {
    return new JobRepository(this.database.dataSource.manager).list(filter, page);
  }

  async retry(id: string): Promise<{ job: JobRow; position: EventPosition }> {
    const retried = await this.database.transaction(async (tx) => {
      const jobs = new JobRepository(tx);
      const job = await this.lockExisting(jobs, id);
      if (job.state !== "FAILED" && job.state !== "CANCELLED") {
        throw new PreconditionFailedError(
          `the job is ${job.state}; only a FAILED or CANCELLED one can be retried`,
        );
      }
      const position = await jobs.update(job, {
        state: "WAITING",
        // A cancelled delivery may still be winding down: what it says concerns the job no more.
        fence: job.fence + 1,
        attempts: 0,
        progress: 0,
        error: null,
        startedAt: null,
        finishedAt: null,
      });
      await this.hooks.get(job.kind)?.restarted?.(tx, job);
      return { job, position };
    });
    await this.dispatch(retried.job);
    return retried;
  }

  async cancel(id: string): Promise<{ job: JobRow; position: EventPosition }> {
    const cancelled = await this.database.transaction(async (tx) => {
      const jobs = new JobRepository(tx);
      const job = await this.lockExisting(jobs, id);
      if (job.finishedAt) throw new PreconditionFailedError(`the job is ${job.state} already`);
      const position = await jobs.update(job, { state: "CANCELLED", finishedAt: new Date() });
      await this.hooks.get(job.kind)?.ended?.(tx, job, "CANCELLED");
      return { job, position };
    });
    this.running.get(id)?.abort(new Error("cancelled"));
    await this.queue.remove(cancelled.job.queue, id).catch(() => undefined);
    return cancelled;
  }

  /**
   * One delivery. The transport takes no id twice, so a job that is tried again while its cancelled run winds
   * down runs in the delivery that is under way.
   */
  async deliver(
    delivery: Delivery,
    handler: (payload: Record<string, unknown>, run: JobRun) => Promise<JobOutcome>,
  ): Promise<void> {
    let again = true;
    while (again && !delivery.signal.aborted) {
      await this.work(delivery, handler);
      again = !this.running.has(delivery.id) && (await this.find(delivery.id))?.state === "WAITING";
    }
  }

  /**
   * Claims the row, runs the handler under a lease, records how it ended.
   * A delivery of a job that has ended, or that runs in this process, does nothing. One of a job that another
   * process holds takes it over: the transport delivers twice only when it presumes the first worker dead.
   */
  private async work(
    delivery: Delivery,
    handler: (payload: Record<string, unknown>, run: JobRun) => Promise<JobOutcome>,
  ): Promise<void> {
    const claimed = this.running.has(delivery.id) ? undefined : await this.claim(delivery.id);
    if (!claimed) return;
    failpoint("job.claimed");
    const cancellation = new AbortController();
    this.running.set(delivery.id, cancellation);
    const run = this.toRun(claimed, delivery, cancellation);
    const heartbeat = setInterval(() => void run.beat(), this.leaseMs / HEARTBEATS_PER_LEASE);
    const endTimer = jobDuration.startTimer({ kind: claimed.kind });
    try {
      const payload = this.definitions.get(claimed.kind)!.parse(claimed.payload);
      const { result } = await handler(payload, run);
      failpoint("job.handled");
      await this.complete(claimed, result);
      failpoint("job.completed");
      endTimer({ outcome: "completed" });
    } catch (error) {
      endTimer({ outcome: "failed" });
      await this.failed(claimed, error, delivery.signal.aborted, run.signal.aborted);
    } finally {
      clearInterval(heartbeat);
      this.running.delete(delivery.id);
    }
  }

  private claim(id: string): Promise<JobRow | undefined> {
    return this.database.transaction(async (tx) => {
      const jobs = new JobRepository(tx);
      const job = await jobs.lock(id);
      if (!job || job.finishedAt || !this.definitions.has(job.kind)) return undefined;
      await jobs.update(job, {
        state: "ACTIVE",
        fence: job.fence + 1,
        attempts: job.attempts + 1,
        startedAt: job.startedAt ?? new Date(),
      });
      return job;
    });
  }

  private toRun(
    job: JobRow,
    delivery: Delivery,
    cancellation: AbortController,
  ): JobRun & { beat(): Promise<void> } {
    let savedAt = 0;
    const touch = async (progress?: number): Promise<void> => {
      const alive = await this.database.transaction((tx) =>
        new JobRepository(tx).touch(job.id, job.fence, progress),
      );
      if (!alive) cancellation.abort(new Error("cancelled or taken over"));
    };
    return {
      id: job.id,
      fence: job.fence,
      attempt: job.attempts,
      lastAttempt: job.attempts >= job.maxAttempts,
      signal: AbortSignal.any([delivery.signal, cancellation.signal]),
      beat: () => touch().catch(() => undefined),
      report: async (progress) => {
        if (Date.now() - savedAt < PROGRESS_EVERY_MS) return;
        savedAt = Date.now();
        await touch(progress);
      },
    };
  }

  private async complete(claimed: JobRow, result: Record<string, unknown> | undefined): Promise<void> {
    await this.database.transaction(async (tx) => {
      const jobs = new JobRepository(tx);
      const job = await jobs.lock(claimed.id);
      if (job?.fence !== claimed.fence || job.finishedAt) return;
      await jobs.update(job, {
        state: "COMPLETED",
        progress: 1,
        result: result ?? null,
        error: null,
        finishedAt: new Date(),
      });
    });
  }

  /** Records a failed delivery; throws to the transport when another one should follow. */
  private async failed(
    claimed: JobRow,
    error: unknown,
    shuttingDown: boolean,
    aborted: boolean,
  ): Promise<void> {
    const reason = error instanceof Error ? error.message : String(error);
    const final = await this.database.transaction(async (tx) => {
      const jobs = new JobRepository(tx);
      const job = await jobs.lock(claimed.id);
      if (job?.fence !== claimed.fence || job.finishedAt) return true;
      if (shuttingDown) {
        await jobs.update(job, { state: "WAITING", attempts: job.attempts - 1 });
        await this.hooks.get(job.kind)?.restarted?.(tx, job);
        return false;
      }
      const hopeless = error instanceof PlatformError || error instanceof UnrecoverableJobError;
      if (!hopeless && !aborted && job.attempts < job.maxAttempts) {
        await jobs.update(job, { state: "DELAYED", error: reason });
        return false;
      }
      await jobs.update(job, { state: "FAILED", error: reason, finishedAt: new Date() });
      await this.hooks.get(job.kind)?.ended?.(tx, job, "FAILED");
      return true;
    });
    this.logger.warn(
      {
        event: "job.delivery_failed",
        job: claimed.id,
        kind: claimed.kind,
        attempt: claimed.attempts,
        err: error,
      },
      "a job's delivery failed",
    );
    if (!final) throw error;
  }

  private async lockExisting(jobs: JobRepository, id: string): Promise<JobRow> {
    const job = await jobs.lock(id);
    if (!job) throw new NotFoundError("input.job: no such Job", { field: "input.job" });
    return job;
  }
}
