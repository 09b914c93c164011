import { once } from "node:events";
import type { Duplex } from "node:stream";
import { MessageChannel, Worker } from "node:worker_threads";
import type { MessagePort } from "node:worker_threads";
import type { DatabaseWorkerCommand, DatabaseWorkerData } from "./database-worker.js";
import { PortStream } from "./port-stream.js";

export interface CrashEvents {
  /** The engine has ended by itself, which broke all connections, and is being started again. */
  restarting(reason: Error): void;
  /** It did so too often: no connection will succeed any more. */
  gaveUp(reason: Error): void;
}

/** Restarts within this time that are too many. */
const RESTARTS = 3;
const RESTART_WINDOW_MS = 60_000;

/**
 * The embedded engine in its worker thread, reached by streams that speak the PostgreSQL protocol.
 * Started again after a crash, it recovers what was committed, as a server does.
 */
export class DatabaseServer {
  private worker: Worker;
  private restarts: number[] = [];
  private closing = false;

  private constructor(
    private readonly data: DatabaseWorkerData,
    private readonly events: CrashEvents,
  ) {
    this.worker = startWorker(data);
  }

  static async start(data: DatabaseWorkerData, events: CrashEvents): Promise<DatabaseServer> {
    const server = new DatabaseServer(data, events);
    await new Promise<void>((resolve, reject) => {
      server.worker.once("message", resolve);
      server.worker.once("error", reject);
      server.worker.once("exit", (code) =>
        reject(new Error(`the embedded database ended with exit code ${code}`)),
      );
    });
    server.worker.removeAllListeners();
    server.watch();
    return server;
  }

  /** Opens one session; hand it to `pg` as `stream`. */
  connect(): Duplex {
    const { port1, port2 } = new MessageChannel();
    this.send({ type: "connect", port: port2 }, [port2]);
    return new PortStream(port1);
  }

  async close(): Promise<void> {
    if (this.closing) return;
    this.closing = true;
    const exited = once(this.worker, "exit");
    this.send({ type: "close" });
    await exited;
  }

  private watch(): void {
    let reason: Error | undefined;
    this.worker.on("error", (error) => (reason = error));
    this.worker.on("exit", (code) => {
      if (!this.closing)
        this.recover(reason ?? new Error(`the embedded database ended with exit code ${code}`));
    });
  }

  private recover(reason: Error): void {
    const now = Date.now();
    this.restarts = [...this.restarts.filter((at) => now - at < RESTART_WINDOW_MS), now];
    if (this.restarts.length > RESTARTS) return this.events.gaveUp(reason);
    this.events.restarting(reason);
    this.worker = startWorker(this.data);
    this.watch();
  }

  private send(command: DatabaseWorkerCommand, transfer: MessagePort[] = []): void {
    this.worker.postMessage(command, transfer);
  }
}

/** What is sent to it before it is ready waits for it. */
function startWorker(workerData: DatabaseWorkerData): Worker {
  return new Worker(new URL("./database-worker.js", import.meta.url), { workerData });
}
