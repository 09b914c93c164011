/** What the transport carries: ids and never documents. The job's row is the truth. */
export interface QueuedJob {
  /** Id of the job's row; enqueueing it again while it waits changes nothing. */
  id: string;
  /** Name of the job in the catalogue, e.g. `train-forecaster`. */
  name: string;
  queue: string;
  /** Deliveries before the transport gives up. */
  attempts: number;
  /** Milliseconds before the first delivery. */
  delayMs?: number;
  /** 1 is the most urgent; jobs without one come before those that have one. */
  priority?: number;
  /** W3C trace context of the request that asked for it. */
  traceContext?: Record<string, string>;
  /** The transport may know the id already, with all deliveries failed: it is to be delivered anew. */
  again?: boolean;
}

export interface Delivery {
  id: string;
  name: string;
  /** 1 for the first; a delivery that ended with its worker, or was handed back at shutdown, does not count. */
  attempt: number;
  lastAttempt: boolean;
  traceContext: Record<string, string>;
  /** Aborted when the worker shuts down or has lost its lease on this job. */
  signal: AbortSignal;
}

export interface QueueDepth {
  queue: string;
  /** Those with a priority among them. */
  waiting: number;
  delayed: number;
  active: number;
  failed: number;
  /** Seconds that the oldest waiting job has waited; 0 when none waits. */
  oldestAgeSeconds: number;
}

/** A handler throws this when another delivery could not end otherwise. */
export class UnrecoverableJobError extends Error {
  override readonly name = "UnrecoverableJobError";
}

export interface WorkOptions {
  /** Deliveries at once by this worker. */
  concurrency: number;
  /** Deliveries a second by all workers of the queue together, who must all say the same; absent: no limit. */
  rate?: number;
}

export interface JobWorker {
  /** Whether it takes jobs. */
  isWorking(): boolean;
  /**
   * Stops taking jobs, aborts the deliveries under way after `graceMs`, and waits for them. What fails
   * once aborted is delivered again, by another worker or after the next start.
   */
  close(graceMs: number): Promise<void>;
}

/** What runs by the clock. */
export interface Schedule {
  /** Unique in its plan. */
  name: string;
  /** By a cron pattern (UTC), or every so many milliseconds. */
  when: { cron: string } | { everyMs: number };
  /** Not begun again on a worker while it is still running there. */
  tick: () => Promise<void>;
}

/** At-least-once delivery of job ids to workers, with retries and delays. */
export interface JobQueue {
  /** @throws {UnavailableError} when the transport does not take them within seconds; it may have taken some */
  enqueue(jobs: readonly QueuedJob[]): Promise<void>;
  /**
   * Enqueues a job that is delivered once its children have been, and jobs that are its children; all of one queue.
   * `enqueue` lets go a parent whose children are done by its row, whatever has become of them here.
   */
  enqueueFlow(parent: QueuedJob, children: readonly QueuedJob[]): Promise<void>;
  /** Takes a job that waits out of the queue; one under way is not stopped by this. */
  remove(queue: string, id: string): Promise<void>;
  work(
    queue: string,
    options: WorkOptions,
    handler: (delivery: Delivery) => Promise<void>,
  ): Promise<JobWorker>;
  /** Lets what runs by the clock tick, each time on one of the workers that were given a plan of the same names. */
  schedule(plan: readonly Schedule[]): Promise<JobWorker>;
  /** Calls `listener` after each time that the transport was away, or forgot what it held. */
  onRecovered(listener: () => void): void;
  depths(): Promise<QueueDepth[]>;
  /** @throws {UnavailableError} when the transport does not answer */
  check(): Promise<void>;
  close(): Promise<void>;
}
