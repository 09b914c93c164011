import { setTimeout as delay } from "node:timers/promises";
import type { Database } from "../../ports/database.js";
import type { Delivery, JobQueue } from "../../ports/job-queue.js";
import { UnrecoverableJobError } from "../../ports/job-queue.js";
import { PlatformError, isTransient } from "../../shared/errors.js";
import { failpoint } from "../../shared/failpoint.js";
import { MergedCalls } from "../../shared/merged-calls.js";
import type { Logger } from "../../telemetry/logger.js";
import { jobDuration } from "../../telemetry/metrics.js";
import { currentExemplar } from "../../telemetry/tracing.js";
import { JobBatchRepository } from "./job-batch.repository.js";
import type { EndedJob } from "./job-batch.repository.js";
import type { JobRow } from "./job.entity.js";
import { JobRepository } from "./job.repository.js";
import type { JobRun } from "./job-definition.js";
import type { Claim, JobLifecycle } from "./job-lifecycle.js";
import type { JobRegistry } from "./job-registry.js";

export interface JobOutcome {
  result?: Record<string, unknown>;
}

type Handler = (payload: Record<string, unknown>, run: JobRun) => Promise<JobOutcome>;

/** Deliveries that may fail for want of an engine or of room, whatever a job's own limit is. */
export const TRANSIENT_ATTEMPTS = 10;

const HEARTBEATS_PER_LEASE = 4;
const PROGRESS_EVERY_MS = 300;
/** Short jobs at once share the round trips and commits of their steps. */
const ROUNDS = { rounds: 2, calls: 256 };

/** Jobs from the delivery of their id to the row that says how that ended. */
export class JobDeliveryService {
  private readonly claims = new MergedCalls((ids: readonly string[]) => this.claimTogether(ids), ROUNDS);
  private readonly completions = new MergedCalls(
    (ended: readonly EndedJob[]) => this.completeTogether(ended),
    ROUNDS,
  );

  constructor(
    private readonly database: Database,
    private readonly queue: JobQueue,
    private readonly registry: JobRegistry,
    private readonly lifecycle: JobLifecycle,
    private readonly logger: Logger,
  ) {}

  /**
   * One delivery. The transport takes no id twice, so a job that is tried again while its cancelled run winds
   * down runs in the delivery that is under way.
   */
  async deliver(delivery: Delivery, handler: Handler): Promise<void> {
    let again = true;
    while (again && !delivery.signal.aborted) {
      again = (await this.work(delivery, handler)) && (await this.isDue(delivery.id));
    }
  }

  private async isDue(id: string): Promise<boolean> {
    const job = await new JobRepository(this.database.dataSource.manager).find(id);
    return job?.state === "WAITING" && job.awaits === 0;
  }

  /**
   * @returns whether the job may be due again: false for one that this delivery has completed, that had ended, or
   * that somebody works on
   */
  private async work(delivery: Delivery, handler: Handler): Promise<boolean> {
    const { running } = this.registry;
    if (running.has(delivery.id)) return false;
    const cancellation = new AbortController();
    running.set(delivery.id, cancellation);
    try {
      const job = await this.claim(delivery);
      return job !== undefined && !(await this.carryOut(job, delivery, cancellation, handler));
    } finally {
      running.delete(delivery.id);
    }
  }

  /**
   * The transport delivers again when it presumes a worker dead, and sometimes twice for no reason: who holds the
   * job may keep it for as long as its lease is renewed.
   */
  private async claim(delivery: Delivery): Promise<JobRow | undefined> {
    const waiting = await this.claims.call(delivery.id);
    if (waiting) {
      failpoint("job.claimed");
      return waiting;
    }
    let claim = await this.tryToClaim(delivery.id);
    if ("heldForSeconds" in claim) {
      await delay(claim.heldForSeconds * 1000, undefined, { signal: delivery.signal });
      claim = await this.tryToClaim(delivery.id);
    }
    if ("job" in claim) {
      failpoint("job.claimed");
      return claim.job;
    }
    if ("hopeless" in claim) await this.giveUp(claim.hopeless);
    else if ("none" in claim && claim.none === "unknown") {
      this.logger.warn(
        { event: "job.unknown", job: delivery.id, kind: delivery.name },
        "this process does not know such jobs: another one will be asked",
      );
    }
    return undefined;
  }

  private async claimTogether(ids: readonly string[]): Promise<(JobRow | undefined)[]> {
    const repository = new JobBatchRepository(this.database.dataSource.manager);
    const claimed = await repository.claim(ids, this.registry.kinds());
    return ids.map((id) => claimed.get(id));
  }

  private tryToClaim(id: string): Promise<Claim> {
    return this.database.transaction((tx) => this.lifecycle.claim(tx, id));
  }

  private async giveUp(found: JobRow): Promise<void> {
    const ended = await this.database.transaction(async (tx) => {
      const { job, parent } = await new JobRepository(tx).lockWithParent(found);
      if (job?.fence !== found.fence || job.finishedAt) return [];
      const reason = `its worker died ${job.maxAttempts} times while it worked on it`;
      return this.lifecycle.fail(tx, job, parent, reason);
    });
    await this.release(ended, found.id);
  }

  private async carryOut(
    claimed: JobRow,
    delivery: Delivery,
    cancellation: AbortController,
    handler: Handler,
  ): Promise<boolean> {
    const run = this.toRun(claimed, delivery, cancellation);
    const heartbeat = setInterval(() => void run.beat(), this.registry.leaseMs / HEARTBEATS_PER_LEASE);
    const endTimer = jobDuration.startTimer({ kind: claimed.kind }, {});
    try {
      const payload = this.registry.definitionOf(claimed.kind)!.parse(claimed.payload);
      const { result } = await handler(payload, run);
      failpoint("job.handled");
      const completed = await this.complete(claimed, result ?? null);
      failpoint("job.completed");
      endTimer({ outcome: "completed" }, currentExemplar());
      return completed;
    } catch (error) {
      endTimer({ outcome: "failed" }, currentExemplar());
      const aborted = delivery.signal.aborted || cancellation.signal.aborted;
      await this.failed(claimed, error, delivery.signal.aborted, aborted);
      return false;
    } finally {
      clearInterval(heartbeat);
    }
  }

  private async complete(claimed: JobRow, result: Record<string, unknown> | null): Promise<boolean> {
    const { id, fence } = claimed;
    return (
      (await this.completions.call({ id, fence, result })) ||
      this.database.transaction((tx) => this.lifecycle.complete(tx, claimed, result))
    );
  }

  private async completeTogether(ended: readonly EndedJob[]): Promise<boolean[]> {
    const completed = await new JobBatchRepository(this.database.dataSource.manager).complete(ended);
    return ended.map(({ id }) => completed.has(id));
  }

  private toRun(
    job: JobRow,
    delivery: Delivery,
    cancellation: AbortController,
  ): JobRun & { beat(): Promise<void> } {
    let savedAt = Number.NEGATIVE_INFINITY;
    let signal: AbortSignal | undefined;
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
      // Short jobs never look at it.
      get signal() {
        return (signal ??= AbortSignal.any([delivery.signal, cancellation.signal]));
      },
      beat: () => touch().catch(() => undefined),
      report: async (progress) => {
        if (performance.now() - savedAt < PROGRESS_EVERY_MS) return;
        savedAt = performance.now();
        await touch(progress);
      },
    };
  }

  /** Records a failed delivery; throws to the transport when another one should follow. */
  private async failed(
    claimed: JobRow,
    error: unknown,
    shuttingDown: boolean,
    aborted: boolean,
  ): Promise<void> {
    const reason = error instanceof Error ? error.message : String(error);
    const ended = await this.database.transaction(async (tx) => {
      const jobs = new JobRepository(tx);
      const { job, parent } = await jobs.lockWithParent(claimed);
      if (job?.fence !== claimed.fence || job.finishedAt) return [];
      if (shuttingDown) {
        await jobs.update(job, { state: "WAITING", attempts: job.attempts - 1 });
        await this.registry.hooksOf(job.kind).restarted?.(tx, job);
        return "again";
      }
      if (!aborted && job.attempts < attemptsAfter(error, job)) {
        await jobs.update(job, { state: "DELAYED", error: reason, lost: 0 });
        return "again";
      }
      return this.lifecycle.fail(tx, job, parent, reason);
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
    if (ended === "again") throw error;
    await this.release(ended, claimed.id);
  }

  /** What ended with a job is not to be worked on any more. */
  private async release(ended: readonly JobRow[], cause: string): Promise<void> {
    for (const { id, queue } of ended) {
      if (id === cause) continue;
      this.registry.running.get(id)?.abort(new Error("ended with another job"));
      await this.queue.remove(queue, id).catch(() => undefined);
    }
  }
}

/** How many deliveries a job may take when one has failed like this. */
function attemptsAfter(error: unknown, { maxAttempts }: JobRow): number {
  if (isTransient(error)) return Math.max(TRANSIENT_ATTEMPTS, maxAttempts);
  const hopeless = error instanceof PlatformError || error instanceof UnrecoverableJobError;
  return hopeless ? 0 : maxAttempts;
}
