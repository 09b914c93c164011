import type { FlowProducer, Job, Queue, Worker, WorkerOptions } from "bullmq";

/** What travels: the row named by the job's id holds the rest. */
export interface JobPayload {
  traceContext?: Record<string, string>;
}

export type TransportJob = Job<JobPayload, void>;

export interface TransportQueue extends Pick<
  Queue<JobPayload, void>,
  | "addBulk"
  | "remove"
  | "getJobState"
  | "getJobCounts"
  | "getJobs"
  | "upsertJobScheduler"
  | "getJobSchedulersCount"
  | "close"
> {
  on(event: "error", listener: (error: Error) => void): unknown;
}

export interface TransportWorker extends Pick<
  Worker<JobPayload, void>,
  "waitUntilReady" | "isRunning" | "cancelJob" | "cancelAllJobs" | "close"
> {
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "lockRenewalFailed", listener: (jobIds: string[]) => void): unknown;
}

export interface TransportFlows extends Pick<FlowProducer, "add" | "close"> {
  on(event: "error", listener: (error: Error) => void): unknown;
}

export type Process = (job: TransportJob, token?: string, signal?: AbortSignal) => Promise<void>;

/** Where BullMQ keeps its queues. */
export interface JobTransport {
  openQueue(name: string): TransportQueue;
  /** For parents and children of that queue. */
  openFlows(queue: string): TransportFlows;
  openWorker(name: string, process: Process, options: Omit<WorkerOptions, "connection">): TransportWorker;
  /** Rejects when the engine behind it does not answer. */
  ping(): Promise<unknown>;
  /** Calls `listener` after each time that the engine was away, or forgot what it held. */
  onRecovered(listener: () => void): void;
  close(): Promise<void>;
}
