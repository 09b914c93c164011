import type { RunOptions, Tensors } from "../../ports/inference-runtime.js";
import { InvalidInputError } from "../../shared/errors.js";
import { countElements, expectedMs } from "./graph-trial.js";
import type { RunResult } from "./inference-protocol.js";
import type { CachedModel } from "./model-cache.js";
import { sharedRows, splitRows, stackRows } from "./tensor-rows.js";
import { compactViews, ownBuffers } from "./tensor-transfer.js";
import type { PoolTask, WorkerPool } from "./worker-pool.js";

export interface RunReport {
  key: string;
  /** Rows that the run computed; 1 for a graph without a batch dimension. */
  batchRows: number;
  /** Calls that it answered. */
  calls: number;
  seconds: number;
  placement: "inline" | "worker";
}

export interface BatcherSettings {
  /** Rows of a merged batch; a larger call runs alone, as it is. */
  maxBatch: number;
  /** Longest run expected to be tolerable on the calling thread. */
  inlineBudgetMs: number;
  runTimeoutMs: number;
  onRun: (report: RunReport) => void;
}

interface Call {
  inputs: Tensors;
  options: RunOptions;
  rows: number;
  elements: number;
  resolve(outputs: Tensors): void;
  reject(error: unknown): void;
}

interface Batch {
  model: CachedModel;
  outputs: readonly string[] | undefined;
  priority: "interactive" | "bulk";
  calls: Set<Call>;
  rows: number;
  elements: number;
  /** Under which later calls find it; undefined when nothing may join. */
  key: string | undefined;
  /** Its place in the pool's queue. */
  task: PoolTask | undefined;
}

/**
 * Merges calls of one model that arrive in the same turn of the event loop, and those that arrive while their
 * batch still waits for a thread, into one run.
 */
export class MicroBatcher {
  /** Batches that have not started, which others may join. */
  private readonly open = new Map<string, Batch>();
  /** Batches of this turn of the event loop. */
  private collected: Batch[] = [];
  private waitingCalls = 0;

  constructor(
    private readonly pool: WorkerPool,
    private readonly settings: BatcherSettings,
  ) {}

  /** Calls that no run has taken yet. */
  get waiting(): number {
    return this.waitingCalls;
  }

  run(model: CachedModel, inputs: Tensors, options: RunOptions): Promise<Tensors> {
    const { outputs, priority = "interactive" } = options;
    return new Promise((resolve, reject) => {
      const rows = sharedRows(inputs);
      const elements = countElements(inputs);
      const call: Call = { inputs, options, rows: rows ?? 1, elements, resolve, reject };
      const mergeable = model.mergesRows && rows !== undefined && rows < this.settings.maxBatch;
      const key = mergeable ? mergeKey(model.source.key, inputs, outputs, priority) : undefined;
      const joined = this.join(call, key);
      if (joined?.task) this.follow(call, joined);
      if (!joined) this.begin(call, { model, outputs, priority, key });
    });
  }

  private join(call: Call, key: string | undefined): Batch | undefined {
    const batch = key === undefined ? undefined : this.open.get(key);
    if (!batch || batch.rows + call.rows > this.settings.maxBatch) return undefined;
    this.add(call, batch);
    return batch;
  }

  private begin(call: Call, of: Pick<Batch, "model" | "outputs" | "priority" | "key">): void {
    const batch: Batch = { ...of, calls: new Set(), rows: 0, elements: 0, task: undefined };
    this.add(call, batch);
    if (batch.key !== undefined) this.open.set(batch.key, batch);
    if (this.collected.length === 0) setImmediate(() => this.flush());
    this.collected.push(batch);
  }

  private add(call: Call, batch: Batch): void {
    batch.calls.add(call);
    batch.rows += call.rows;
    batch.elements += call.elements;
    this.waitingCalls++;
  }

  /** A caller that goes away gives up its place, or its answer when the run is under way. */
  private follow(call: Call, batch: Batch): void {
    const { signal } = call.options;
    if (!signal) return;
    const abandon = () => {
      call.reject(signal.reason);
      if (!batch.calls.delete(call)) return;
      batch.rows -= call.rows;
      batch.elements -= call.elements;
      this.waitingCalls--;
      if (batch.calls.size === 0 && batch.task) this.withdraw(batch, batch.task);
    };
    const { resolve, reject } = call;
    call.resolve = (outputs) => {
      signal.removeEventListener("abort", abandon);
      resolve(outputs);
    };
    call.reject = (error) => {
      signal.removeEventListener("abort", abandon);
      reject(error);
    };
    if (signal.aborted) abandon();
    else signal.addEventListener("abort", abandon, { once: true });
  }

  private withdraw(batch: Batch, task: PoolTask): void {
    this.close(batch);
    this.pool.withdraw(task);
  }

  private flush(): void {
    const batches = this.collected;
    this.collected = [];
    for (const batch of batches) {
      if (this.runsInline(batch)) void this.runInline(batch);
      else this.enqueue(batch);
    }
  }

  private runsInline({ model, elements }: Batch): boolean {
    if (!model.inline || !model.cost) return false;
    return expectedMs(model.cost, elements) <= this.settings.inlineBudgetMs;
  }

  private async runInline(batch: Batch): Promise<void> {
    const calls = this.start(batch);
    const { key } = batch.model.source;
    const start = performance.now();
    try {
      const outputs = await batch.model.inline!.run(merged(calls), batch.outputs);
      const seconds = (performance.now() - start) / 1000;
      this.settings.onRun({ key, batchRows: batch.rows, calls: calls.length, seconds, placement: "inline" });
      this.answer(batch, calls, outputs);
    } catch (error) {
      this.fail(batch, calls, error);
    }
  }

  private enqueue(batch: Batch): void {
    for (const call of batch.calls) this.follow(call, batch);
    if (batch.calls.size === 0) return this.close(batch);
    let calls: Call[] = [];
    const { key, path } = batch.model.source;
    batch.task = {
      priority: batch.priority,
      model: key,
      timeoutMs: this.settings.runTimeoutMs,
      start: () => {
        calls = this.start(batch);
        const inputs = calls.length > 1 ? merged(calls) : compactViews(calls[0]!.inputs);
        const transfer = calls.length > 1 ? ownBuffers(inputs) : [];
        return { request: { kind: "run", model: { key, path }, inputs, outputs: batch.outputs }, transfer };
      },
      resolve: (value) => {
        const { outputs, seconds } = value as RunResult;
        this.settings.onRun({
          key,
          batchRows: batch.rows,
          calls: calls.length,
          seconds,
          placement: "worker",
        });
        this.answer(batch, calls, outputs);
      },
      reject: (error) => {
        this.fail(batch, calls.length > 0 ? calls : this.start(batch), error);
      },
    };
    this.pool.submit(batch.task);
  }

  /** From here on nobody joins or leaves. */
  private start(batch: Batch): Call[] {
    this.close(batch);
    const calls = [...batch.calls];
    batch.calls.clear();
    this.waitingCalls -= calls.length;
    return calls;
  }

  private close(batch: Batch): void {
    if (batch.key !== undefined && this.open.get(batch.key) === batch) this.open.delete(batch.key);
  }

  private answer(batch: Batch, calls: Call[], outputs: Tensors): void {
    if (calls.length === 1) {
      calls[0]!.resolve(outputs);
      return;
    }
    const parts = splitRows(
      outputs,
      calls.map(({ rows }) => rows),
    );
    if (parts) for (const [i, call] of calls.entries()) call.resolve(parts[i]!);
    else this.runOneByOne(batch, calls);
  }

  /** One bad call must not fail those that were merged with it. */
  private fail(batch: Batch, calls: Call[], error: unknown): void {
    if (calls.length > 1 && error instanceof InvalidInputError) this.runOneByOne(batch, calls);
    else for (const call of calls) call.reject(error);
  }

  private runOneByOne({ model, outputs, priority }: Batch, calls: Call[]): void {
    for (const call of calls) this.begin(call, { model, outputs, priority, key: undefined });
  }
}

function merged(calls: readonly Call[]): Tensors {
  return calls.length === 1 ? calls[0]!.inputs : stackRows(calls.map(({ inputs }) => inputs));
}

/** Equal for calls that may be stacked: all but the first dimension agrees. */
function mergeKey(
  model: string,
  inputs: Tensors,
  outputs: readonly string[] | undefined,
  priority: string,
): string {
  let key = `${model}|${priority}|${outputs?.join("\u0000") ?? ""}`;
  for (const name of Object.keys(inputs).sort()) {
    const { type, shape } = inputs[name]!;
    key += `|${name}:${type}`;
    for (let axis = 1; axis < shape.length; axis++) key += `,${shape[axis]}`;
  }
  return key;
}
