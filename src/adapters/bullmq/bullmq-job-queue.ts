import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { UnrecoverableError, WaitingError } from "bullmq";
import type { PoolConfig } from "pg";
import { UnrecoverableJobError } from "../../ports/job-queue.js";
import type {
  Delivery,
  JobQueue,
  JobWorker,
  QueueDepth,
  QueuedJob,
  Schedule,
  WorkOptions,
} from "../../ports/job-queue.js";
import { assertAnswers } from "../assert-answers.js";
import type {
  JobTransport,
  Process,
  TransportFlows,
  TransportJob,
  TransportQueue,
  TransportWorker,
} from "./job-transport.js";
import { openPostgresTransport } from "./postgres-transport.js";
import { openRedisTransport } from "./redis-transport.js";
import type { RedisTransportOptions } from "./redis-transport.js";

type RedisTransportChoice = { kind: "redis" } & Omit<RedisTransportOptions, "onError">;

export interface BullmqJobQueueOptions {
  transport: { kind: "postgres"; connection: PoolConfig } | RedisTransportChoice;
  /** Told of what goes wrong in the background: broken connections, lost leases, failing ticks. */
  onError: (error: Error, context: { queue?: string; schedule?: string }) => void;
  /** Wait before the second delivery; doubled before each further one, and up to half of it random. */
  backoffMs?: number;
  /** How long a worker that fell silent keeps its jobs. */
  leaseMs?: number;
  /** How often workers look for jobs whose worker fell silent, and for schedules that the transport has lost. */
  stalledIntervalMs?: number;
}

/** Deliveries that may end with the death of their worker before the job counts as failed. */
const MAX_STALLED = 3;

/** What a worker may take beyond its grace to hand its jobs back. */
const CLOSE_LIMIT_MS = 5_000;

/** Failed jobs stay visible for a week, the newest thousand of each queue. */
const KEEP_FAILED = { age: 7 * 24 * 3600, count: 1000 };

/** Jobs that `depths` looks at to find the oldest of a queue. */
const OLDEST_AMONG = 100;

/** Job ids over BullMQ, in PostgreSQL or Redis. */
export class BullmqJobQueue implements JobQueue {
  private readonly queues = new Map<string, TransportQueue>();
  private readonly flows = new Map<string, TransportFlows>();
  private readonly workers = new Set<JobWorker>();
  private readonly leaseMs: number;
  private readonly stalledIntervalMs: number;
  private closing = false;

  private constructor(
    private readonly transport: JobTransport,
    private readonly options: BullmqJobQueueOptions,
  ) {
    this.leaseMs = options.leaseMs ?? 20_000;
    this.stalledIntervalMs = options.stalledIntervalMs ?? this.leaseMs / 4;
  }

  static async open(options: BullmqJobQueueOptions): Promise<BullmqJobQueue> {
    const { transport } = options;
    const onError = (error: Error) => options.onError(error, {});
    const opened =
      transport.kind === "postgres"
        ? await openPostgresTransport(transport.connection, onError)
        : await openRedisTransport({ ...transport, onError });
    return new BullmqJobQueue(opened, options);
  }

  async enqueue(jobs: readonly QueuedJob[]): Promise<void> {
    const byQueue = new Map<string, QueuedJob[]>();
    for (const job of jobs) {
      const group = byQueue.get(job.queue);
      if (group) group.push(job);
      else byQueue.set(job.queue, [job]);
    }
    const added = Promise.all([...byQueue].map(([name, group]) => this.add(this.queue(name), group)));
    await assertAnswers("the job queue", added);
  }

  async enqueueFlow(parent: QueuedJob, children: readonly QueuedJob[]): Promise<void> {
    await assertAnswers("the job queue", this.addFlow(parent, children));
  }

  async remove(queue: string, id: string): Promise<void> {
    await this.queue(queue).remove(id, { removeChildren: false });
  }

  async work(
    queue: string,
    options: WorkOptions,
    handler: (delivery: Delivery) => Promise<void>,
  ): Promise<JobWorker> {
    // Known from now on, so that its depth is reported.
    this.queue(queue);
    return this.startWorker(queue, options, handler);
  }

  async schedule(plan: readonly Schedule[]): Promise<JobWorker> {
    const name = scheduleQueueOf(plan);
    const queue = this.openQueue(name);
    await keepSchedules(queue, plan);
    const keeper = setInterval(() => {
      keepIfLost(queue, plan).catch((error: Error) => this.report(error, name));
    }, this.stalledIntervalMs);
    const ticks = new Map(plan.map((schedule) => [schedule.name, onceAtATime(schedule.tick)]));
    const worker = await this.startWorker(name, { concurrency: plan.length }, ({ name: schedule }) =>
      ticks.get(schedule)!().catch((error: Error) => this.options.onError(error, { queue: name, schedule })),
    );
    const close = async (graceMs: number) => {
      clearInterval(keeper);
      await worker.close(graceMs);
      await queue.close();
    };
    return { isWorking: () => worker.isWorking(), close };
  }

  onRecovered(listener: () => void): void {
    this.transport.onRecovered(listener);
  }

  async depths(): Promise<QueueDepth[]> {
    return Promise.all([...this.queues].map(([name, queue]) => depthOf(name, queue)));
  }

  check(): Promise<void> {
    return assertAnswers("the job queue", this.transport.ping());
  }

  async close(): Promise<void> {
    this.closing = true;
    await Promise.all([...this.workers].map((worker) => worker.close(0)));
    await Promise.all([...this.queues.values(), ...this.flows.values()].map((each) => each.close()));
    await this.transport.close();
  }

  private async add(queue: TransportQueue, jobs: readonly QueuedJob[]): Promise<void> {
    await forgetSettled(queue, jobs);
    await queue.addBulk(jobs.map((job) => this.toBullmq(job)));
  }

  private async addFlow(parent: QueuedJob, children: readonly QueuedJob[]): Promise<void> {
    const queue = this.queue(parent.queue);
    await forgetSettled(queue, [parent, ...children]);
    const [root, ...leaves] = [parent, ...children].map((job) => ({
      ...this.toBullmq(job),
      queueName: parent.queue,
    }));
    await this.flowsOf(parent.queue).add({ ...root!, children: leaves });
  }

  private queue(name: string): TransportQueue {
    const queue = this.queues.get(name) ?? this.openQueue(name);
    this.queues.set(name, queue);
    return queue;
  }

  private flowsOf(queue: string): TransportFlows {
    let flows = this.flows.get(queue);
    if (!flows) {
      flows = this.transport.openFlows(queue);
      flows.on("error", (error) => this.report(error, queue));
      this.flows.set(queue, flows);
    }
    return flows;
  }

  private openQueue(name: string): TransportQueue {
    const queue = this.transport.openQueue(name);
    queue.on("error", (error) => this.report(error, name));
    return queue;
  }

  private async startWorker(
    queue: string,
    { concurrency, rate }: WorkOptions,
    handler: (delivery: Delivery) => Promise<void>,
  ): Promise<JobWorker> {
    const shutdown = new AbortController();
    const worker = this.transport.openWorker(queue, processWith(handler, shutdown.signal), {
      concurrency,
      ...(rate === undefined ? {} : { limiter: { max: rate, duration: 1_000 } }),
      maxStalledCount: MAX_STALLED,
      lockDuration: this.leaseMs,
      stalledInterval: this.stalledIntervalMs,
    });
    worker.on("error", (error) => this.report(error, queue));
    worker.on("lockRenewalFailed", (ids) =>
      ids.forEach((id) => worker.cancelJob(id, "the lease on the job is lost")),
    );
    await worker.waitUntilReady();
    const started: JobWorker = {
      isWorking: () => worker.isRunning(),
      close: (graceMs) => this.closeWorker(started, worker, shutdown, graceMs),
    };
    this.workers.add(started);
    return started;
  }

  private async closeWorker(
    started: JobWorker,
    worker: TransportWorker,
    shutdown: AbortController,
    graceMs: number,
  ): Promise<void> {
    const abort = setTimeout(() => {
      shutdown.abort();
      worker.cancelAllJobs("the worker shuts down");
    }, graceMs);
    // A transport that is away answers nobody: what it holds of ours, it delivers to others when the lease has ended.
    const late = delay(graceMs + CLOSE_LIMIT_MS, undefined, { ref: false });
    await Promise.race([worker.close(), late]);
    clearTimeout(abort);
    this.workers.delete(started);
  }

  private toBullmq(job: QueuedJob) {
    return {
      name: job.name,
      data: { traceContext: job.traceContext },
      opts: {
        jobId: job.id,
        attempts: job.attempts,
        delay: job.delayMs,
        priority: job.priority,
        backoff: { type: "exponential", delay: this.options.backoffMs ?? 1_000, jitter: 0.5 },
        removeOnComplete: true,
        removeOnFail: KEEP_FAILED,
      },
    };
  }

  private report(error: Error, queue: string): void {
    if (!this.closing) this.options.onError(error, { queue });
  }
}

export function createBullmqJobQueue(options: BullmqJobQueueOptions): Promise<BullmqJobQueue> {
  return BullmqJobQueue.open(options);
}

function processWith(handler: (delivery: Delivery) => Promise<void>, shutdown: AbortSignal): Process {
  return async (job, token, signal) => {
    try {
      await handler(deliveryOf(job, signal!));
    } catch (error) {
      if (shutdown.aborted) await handBack(job, token!);
      if (error instanceof UnrecoverableJobError) throw new UnrecoverableError(error.message);
      throw error;
    }
  };
}

/** Another worker, or the next start, gets the job at once and with no attempt counted. */
async function handBack(job: TransportJob, token: string): Promise<never> {
  await job.moveToWait(token);
  throw new WaitingError();
}

function deliveryOf(job: TransportJob, signal: AbortSignal): Delivery {
  const attempt = job.attemptsMade + 1;
  return {
    id: job.id!,
    name: job.name,
    attempt,
    lastAttempt: attempt >= (job.opts.attempts ?? 1),
    traceContext: job.data.traceContext ?? {},
    signal,
  };
}

/**
 * One queue for the whole plan, since each worker polls, listens and looks for stalled jobs on its own. Its name tells
 * the plan's, so that no worker is handed a tick that only those of another release know.
 */
function scheduleQueueOf(plan: readonly Schedule[]): string {
  const names = plan.map(({ name }) => name).sort();
  return `schedules-${createHash("sha256").update(names.join()).digest("hex").slice(0, 8)}`;
}

async function keepSchedules(queue: TransportQueue, plan: readonly Schedule[]): Promise<void> {
  const planned = plan.map(({ name, when }) => {
    const repeat = "cron" in when ? { pattern: when.cron, tz: "UTC" } : { every: when.everyMs };
    return queue.upsertJobScheduler(name, repeat, {
      name,
      opts: { removeOnComplete: true, removeOnFail: true },
    });
  });
  await Promise.all(planned);
}

/** An engine that came back empty has forgotten what is to be done by the clock. */
async function keepIfLost(queue: TransportQueue, plan: readonly Schedule[]): Promise<void> {
  if ((await queue.getJobSchedulersCount()) < plan.length) await keepSchedules(queue, plan);
}

/** A tick that comes while the one before it is under way is left out, and holds up no other schedule. */
function onceAtATime(tick: () => Promise<void>): () => Promise<void> {
  let underWay = false;
  return async () => {
    if (underWay) return;
    underWay = true;
    try {
      await tick();
    } finally {
      underWay = false;
    }
  };
}

/** A job under the same id that has failed, or waits for children, would make BullMQ ignore the new one. */
async function forgetSettled(queue: TransportQueue, jobs: readonly QueuedJob[]): Promise<void> {
  const known = jobs.filter(({ again }) => again);
  await Promise.all(
    known.map(async ({ id }) => {
      const state = await queue.getJobState(id);
      if (state !== "failed" && state !== "waiting-children") return;
      await queue.remove(id, { removeChildren: false });
    }),
  );
}

async function depthOf(name: string, queue: TransportQueue): Promise<QueueDepth> {
  const counts = await queue.getJobCounts("waiting", "prioritized", "delayed", "active", "failed");
  const waiting = (counts.waiting ?? 0) + (counts.prioritized ?? 0);
  const oldest =
    waiting === 0 ? [] : await queue.getJobs(["waiting", "prioritized"], 0, OLDEST_AMONG - 1, true);
  const ages = oldest.map((job) => Date.now() - job.timestamp - (job.opts.delay ?? 0));
  return {
    queue: name,
    waiting,
    delayed: counts.delayed ?? 0,
    active: counts.active ?? 0,
    failed: counts.failed ?? 0,
    oldestAgeSeconds: Math.max(0, ...ages) / 1000,
  };
}
