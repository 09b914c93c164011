import { Worker } from "node:worker_threads";
import { UnavailableError } from "../../shared/errors.js";
import type { TokenizerResults, TokenizerTask } from "./tokenizer-task.rules.js";

/** A tokenizer.json on local disk. */
export interface TokenizerFile {
  /** Identity of its bytes. */
  key: string;
  path: string;
  bytes: number;
}

export interface TokenizerRequest {
  id: number;
  file: TokenizerFile;
  task: TokenizerTask;
}

export type TokenizerReply =
  | { id: number; ok: true; value: TokenizerResults[TokenizerTask["kind"]] }
  | { id: number; ok: false; message: string };

interface Job {
  request: TokenizerRequest;
  resolve(value: TokenizerResults[TokenizerTask["kind"]]): void;
  reject(error: Error): void;
}

/** One that the thread works on and one that it finds when it has done that. */
const MOST_SENT = 2;
const HEAP_MEGABYTES = 2_048;
const threadFile = new URL("./tokenizer.thread.js", import.meta.url);

/** A thread that tokenises; started by the first task, and again by the next one when it died. */
export class TokenizerThread {
  private worker: Worker | undefined;
  private readonly waiting = { interactive: [] as Job[], bulk: [] as Job[] };
  private readonly sent = new Map<number, Job>();
  private lastId = 0;
  private closed = false;

  /** @throws {UnavailableError} when the file is no tokenizer, or the thread dies */
  run<Kind extends TokenizerTask["kind"]>(
    file: TokenizerFile,
    task: Extract<TokenizerTask, { kind: Kind }>,
    priority: "interactive" | "bulk",
  ): Promise<TokenizerResults[Kind]> {
    return new Promise<TokenizerResults[TokenizerTask["kind"]]>((resolve, reject) => {
      if (this.closed) return reject(shuttingDown());
      this.waiting[priority].push({ request: { id: ++this.lastId, file, task }, resolve, reject });
      this.send();
    }) as Promise<TokenizerResults[Kind]>;
  }

  async close(): Promise<void> {
    this.closed = true;
    const { worker } = this;
    this.fail(shuttingDown());
    await worker?.terminate();
  }

  private send(): void {
    while (this.sent.size < MOST_SENT) {
      const job = this.waiting.interactive.shift() ?? this.waiting.bulk.shift();
      if (!job) return;
      this.sent.set(job.request.id, job);
      this.worker ??= this.start();
      this.worker.postMessage(job.request);
    }
  }

  private start(): Worker {
    const worker = new Worker(threadFile, { resourceLimits: { maxOldGenerationSizeMb: HEAP_MEGABYTES } });
    const lost = (cause?: Error) => {
      if (this.worker === worker) {
        this.fail(new UnavailableError("The thread that tokenises ended unexpectedly", { cause }));
      }
    };
    worker.on("message", (reply: TokenizerReply) => this.settle(reply));
    worker.on("error", lost);
    worker.on("exit", () => lost());
    return worker;
  }

  private settle(reply: TokenizerReply): void {
    const job = this.sent.get(reply.id);
    this.sent.delete(reply.id);
    if (reply.ok) job?.resolve(reply.value);
    else job?.reject(new UnavailableError(`The tokenizer does not work: ${reply.message}`));
    this.send();
  }

  /** Fails what waits as well: whatever ended the thread may lie in any of it. */
  private fail(error: Error): void {
    this.worker = undefined;
    const jobs = [...this.sent.values(), ...this.waiting.interactive, ...this.waiting.bulk];
    this.sent.clear();
    this.waiting.interactive = [];
    this.waiting.bulk = [];
    for (const { reject } of jobs) reject(error);
  }
}

function shuttingDown(): UnavailableError {
  return new UnavailableError("Embedding is shutting down");
}
