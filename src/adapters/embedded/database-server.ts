import { once } from "node:events";
import type { Duplex } from "node:stream";
import { MessageChannel, Worker } from "node:worker_threads";
import type { DatabaseWorkerCommand, DatabaseWorkerData } from "./database-worker.js";
import { PortStream } from "./port-stream.js";

/** The embedded engine in its worker thread, reached by streams that speak the PostgreSQL protocol. */
export class DatabaseServer {
  private closing = false;

  private constructor(
    private readonly worker: Worker,
    onCrash: (error: Error) => void,
  ) {
    let reason: Error | undefined;
    worker.on("error", (error) => (reason = error));
    worker.on("exit", (code) => {
      if (!this.closing) onCrash(reason ?? new Error(`the embedded database ended with exit code ${code}`));
    });
  }

  /** @param onCrash the engine has ended by itself; connections break and a new server is needed */
  static async start(data: DatabaseWorkerData, onCrash: (error: Error) => void): Promise<DatabaseServer> {
    const worker = new Worker(new URL("./database-worker.js", import.meta.url), { workerData: data });
    await new Promise<void>((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
      worker.once("exit", (code) =>
        reject(new Error(`the embedded database did not start (exit code ${code})`)),
      );
    });
    worker.removeAllListeners();
    return new DatabaseServer(worker, onCrash);
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

  private send(command: DatabaseWorkerCommand, transfer: MessageChannel["port2"][] = []): void {
    this.worker.postMessage(command, transfer);
  }
}
