import type { MessagePort } from "node:worker_threads";
import { parentPort, workerData } from "node:worker_threads";
import type { PGlite } from "@electric-sql/pglite";
import { ClientSession } from "./client-session.js";
import { openEngine } from "./database-engine.js";
import { onBytes, postBytes } from "./port-stream.js";
import { SessionArbiter } from "./session-arbiter.js";
import type { ArbiterOptions } from "./session-arbiter.js";

/** Entry of the thread that owns the engine; each session of a client has a port of its own. */

export interface DatabaseWorkerData {
  folder: string;
  arbiter: ArbiterOptions;
}

export type DatabaseWorkerCommand = { type: "connect"; port: MessagePort } | { type: "close" };

async function execute(engine: PGlite, messages: Buffer): Promise<Buffer> {
  const chunks: Buffer[] = [];
  // The engine reuses the memory of each chunk, hence the copies.
  await engine.execProtocolRawStream(messages, { onRawData: (chunk) => chunks.push(Buffer.from(chunk)) });
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
}

function serve(port: MessagePort, id: number, arbiter: SessionArbiter): void {
  const session: ClientSession = new ClientSession(id, {
    batch: (batch) => arbiter.submit(session, batch),
    reply: (bytes) => postBytes(port, bytes),
    end: () => port.close(),
  });
  onBytes(port, (bytes) => session.receive(bytes));
  port.on("close", () => arbiter.leave(session));
}

const { folder, arbiter: options } = workerData as DatabaseWorkerData;
const engine = await openEngine(folder);
const arbiter = new SessionArbiter((messages) => execute(engine, messages), options);
let sessions = 0;

parentPort!.on("message", (command: DatabaseWorkerCommand) => {
  if (command.type === "connect") serve(command.port, ++sessions, arbiter);
  else
    void engine
      .exec("CHECKPOINT")
      .then(() => engine.close())
      .then(() => process.exit(0));
});
parentPort!.postMessage("ready");
