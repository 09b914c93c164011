import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { InvalidInputError, TimeoutError, UnavailableError } from "../../shared/errors.js";
import { UnservableGraphError } from "../../shared/unservable-graph-error.js";
import type { SessionSettings } from "./graph-session.js";
import type {
  ModelLocation,
  WorkerFailure,
  WorkerReply,
  WorkerRequest,
  WorkerValue,
} from "./inference-protocol.js";

/** Work for whichever thread is free first. */
export interface PoolTask {
  priority: "interactive" | "bulk";
  timeoutMs: number;
  /** Key of the model that it runs. */
  model?: string;
  /** Called when a thread takes the task; from then on it cannot be withdrawn. */
  start(): { request: WorkerRequest; transfer: ArrayBuffer[] };
  resolve(value: WorkerValue): void;
  reject(error: Error): void;
}

interface Assignment {
  task: Pick<PoolTask, "resolve" | "reject">;
  timer: NodeJS.Timeout;
}

/**
 * Threads that own sessions, each busy with one task at a time. A thread that dies, or that a run holds for
 * longer than its limit, is replaced by a fresh one when the next task needs it.
 */
export class WorkerPool {
  private readonly slots: WorkerSlot[];
  private readonly express: ExpressSlot;
  private readonly waiting = { interactive: new Set<PoolTask>(), bulk: new Set<PoolTask>() };
  private closed = false;

  constructor(size: number, settings: SessionSettings) {
    const dispatch = () => this.dispatch();
    this.slots = Array.from({ length: size }, () => new WorkerSlot(settings, dispatch));
    this.express = new ExpressSlot(settings, dispatch);
  }

  submit(task: PoolTask): void {
    if (this.closed) {
      task.reject(shuttingDown());
      return;
    }
    this.waiting[task.priority].add(task);
    this.dispatch();
  }

  /** Takes a task that has not started out of the queue. */
  withdraw(task: PoolTask): void {
    this.waiting[task.priority].delete(task);
  }

  /** Has every running thread, or every thread when `start` is set, do the same. */
  async broadcast(request: WorkerRequest, options: { start: boolean; timeoutMs: number }): Promise<void> {
    if (this.closed) throw shuttingDown();
    const slots: WorkerSlot[] = this.slots.filter((slot) => options.start || slot.running);
    if (this.express.running) slots.push(this.express);
    await Promise.all(slots.map((slot) => slot.ask(request, options.timeoutMs)));
  }

  /** Fails what waits, lets what runs end within `graceMs`, and stops the threads. */
  async close(graceMs: number): Promise<void> {
    this.closed = true;
    for (const queue of [this.waiting.interactive, this.waiting.bulk]) {
      for (const task of queue) task.reject(shuttingDown());
      queue.clear();
    }
    await Promise.all([...this.slots, this.express].map((slot) => slot.close(graceMs)));
  }

  private dispatch(): void {
    this.sendExpress((task) => this.express.hasPrepared(task.model));
    for (const slot of this.slots) {
      if (slot.busy) continue;
      const task = first(this.waiting.interactive) ?? first(this.waiting.bulk);
      if (!task) return;
      this.withdraw(task);
      slot.assign(task);
      if (slot.bulkModel) this.express.prepare(slot.bulkModel);
    }
    if (this.slots.some((slot) => slot.bulkModel)) this.sendExpress(() => true);
  }

  private sendExpress(takes: (task: PoolTask) => boolean): void {
    const task = first(this.waiting.interactive);
    if (this.express.busy || !task || !takes(task)) return;
    this.withdraw(task);
    this.express.assign(task);
  }
}

const prepareTimeoutMs = 120_000;

function first<T>(set: Set<T>): T | undefined {
  for (const item of set) return item;
  return undefined;
}

function shuttingDown(): UnavailableError {
  return new UnavailableError("Inference is shutting down");
}

/** One place in the pool and the thread that fills it at the moment. */
class WorkerSlot {
  private worker: Worker | undefined;
  private readonly assignments = new Map<number, Assignment>();
  private lastId = 0;
  private drained: (() => void) | undefined;
  /** The model of the bulk task that it is busy with. */
  bulkModel: ModelLocation | undefined;

  constructor(
    private readonly settings: SessionSettings,
    private readonly onFree: () => void,
  ) {}

  get busy(): boolean {
    return this.assignments.size > 0;
  }

  get running(): boolean {
    return this.worker !== undefined;
  }

  assign(task: PoolTask): void {
    try {
      const { request, transfer } = task.start();
      this.bulkModel = task.priority === "bulk" && "model" in request ? request.model : undefined;
      this.post(request, transfer, task, task.timeoutMs);
    } catch (error) {
      task.reject(error as Error);
    }
  }

  /** Beside the queue: waits behind what the thread is doing now. */
  ask(request: WorkerRequest, timeoutMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.post(request, [], { resolve: () => resolve(), reject }, timeoutMs);
    });
  }

  async close(graceMs: number): Promise<void> {
    if (this.busy) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, graceMs);
        this.drained = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    await this.discard(shuttingDown());
  }

  private post(
    request: WorkerRequest,
    transfer: ArrayBuffer[],
    task: Assignment["task"],
    timeoutMs: number,
  ): void {
    const id = ++this.lastId;
    this.worker ??= this.spawn();
    this.worker.postMessage({ id, request }, transfer);
    const timer = setTimeout(() => {
      void this.discard(new TimeoutError(`The model did not answer within ${timeoutMs / 1000} s`));
      this.onFree();
    }, timeoutMs);
    this.assignments.set(id, { task, timer });
  }

  private spawn(): Worker {
    const worker = new Worker(new URL("./inference-worker.js", import.meta.url), {
      workerData: this.settings,
    });
    const lost = (error?: Error) => {
      if (this.worker !== worker) return;
      this.forget(new UnavailableError("The thread that ran the model ended unexpectedly", { cause: error }));
      this.onFree();
    };
    worker.on("message", (reply: WorkerReply) => {
      if (this.worker === worker) this.settle(reply);
    });
    worker.on("error", lost);
    worker.on("exit", () => lost());
    return worker;
  }

  private settle(reply: WorkerReply): void {
    const assignment = this.assignments.get(reply.id);
    if (!assignment) return;
    clearTimeout(assignment.timer);
    this.assignments.delete(reply.id);
    if (reply.ok) assignment.task.resolve(reply.value);
    else assignment.task.reject(toError(reply.failure));
    if (this.busy) return;
    this.bulkModel = undefined;
    this.drained?.();
    this.onFree();
  }

  /**
   * Lets the thread end once it gets there, and fails what it had been given: terminating a thread inside
   * native code would abort the whole process.
   */
  private async discard(reason: Error): Promise<void> {
    const { worker, busy } = this;
    this.forget(reason);
    worker?.postMessage("stop");
    if (worker && !busy) await once(worker, "exit");
  }

  private forget(reason: Error): void {
    this.worker = undefined;
    for (const { task, timer } of this.assignments.values()) {
      clearTimeout(timer);
      task.reject(reason);
    }
    this.assignments.clear();
    this.bulkModel = undefined;
    this.drained?.();
  }
}

/**
 * One thread beyond the others, for interactive tasks of models that do bulk work as well: a run cannot be
 * interrupted, but the processor can be shared, and threads that do bulk work stand back. It is started by the first
 * bulk task, with that task's model.
 */
class ExpressSlot extends WorkerSlot {
  private readonly prepared = new Set<string>();

  hasPrepared(model: string | undefined): boolean {
    return this.running && model !== undefined && this.prepared.has(model);
  }

  prepare(model: ModelLocation): void {
    if (this.hasPrepared(model.key)) return;
    if (!this.running) this.prepared.clear();
    // A model that does not load tells its own callers.
    this.ask({ kind: "load", model }, prepareTimeoutMs).catch(() => undefined);
  }

  override ask(request: WorkerRequest, timeoutMs: number): Promise<void> {
    if (request.kind === "release") this.prepared.delete(request.key);
    if (request.kind === "load") this.prepared.add(request.model.key);
    return super.ask(request, timeoutMs);
  }
}

function toError({ reason, message }: WorkerFailure): Error {
  if (reason === "refused") return new InvalidInputError(message);
  if (reason === "unservable") return new UnservableGraphError(message);
  return new UnavailableError(`The thread that ran the model failed: ${message}`);
}
