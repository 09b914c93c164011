import { setPriority } from "node:os";
import { parentPort, workerData } from "node:worker_threads";
import { InvalidInputError } from "../../shared/errors.js";
import { hasPredictableCost } from "../../shared/onnx-file.js";
import { poolVectors } from "../../shared/pool-vectors.js";
import { UnservableGraphError } from "../../shared/unservable-graph-error.js";
import { GraphSession } from "./graph-session.js";
import type { SessionSettings } from "./graph-session.js";
import { tryGraph } from "./graph-trial.js";
import type {
  Measurement,
  ModelLocation,
  WorkerFailure,
  WorkerReply,
  WorkerRequest,
  WorkerValue,
} from "./inference-protocol.js";
import { ownBuffers } from "./tensor-transfer.js";

// Entry of the pool's threads: owns sessions and answers one request after another.
const settings = workerData as SessionSettings;
const sessions = new Map<string, GraphSession>();
const port = parentPort!;

async function sessionOf({ key, path }: ModelLocation): Promise<GraphSession> {
  let session = sessions.get(key);
  if (!session) {
    session = await GraphSession.load(path, settings);
    sessions.set(key, session);
  }
  return session;
}

let initialised = false;

async function measure(model: ModelLocation): Promise<Measurement> {
  if (!initialised) {
    // A thread's first session also initialises onnxruntime, which says nothing about this model.
    await (await GraphSession.load(model.path, settings)).release();
    initialised = true;
  }
  const start = performance.now();
  const session = await sessionOf(model);
  const loadMs = performance.now() - start;
  const { provider } = session;
  return { ...(await tryGraph(session)), loadMs, predictable: hasPredictableCost(model.path), provider };
}

async function answer(request: WorkerRequest): Promise<WorkerValue> {
  switch (request.kind) {
    case "measure":
      return measure(request.model);
    case "load":
      await (await sessionOf(request.model)).warm();
      return undefined;
    case "run": {
      const session = await sessionOf(request.model);
      const start = performance.now();
      const outputs = await session.run(request.inputs, request.outputs);
      return { outputs, seconds: (performance.now() - start) / 1000 };
    }
    case "encode": {
      const { inputs, pooling } = request;
      if (request.isBulk) standBack();
      const session = await sessionOf(request.model);
      const start = performance.now();
      const outputs = await session.run(inputs, [pooling.output]);
      const vectors = poolVectors(outputs[pooling.output]!, pooling);
      return { vectors, seconds: (performance.now() - start) / 1000 };
    }
    case "release":
      await sessions.get(request.key)?.release();
      sessions.delete(request.key);
      return undefined;
  }
}

/** A priority of the operating system, which is this thread's own on Linux only; it cannot be raised again. */
const BULK_NICENESS = 10;
let standsBack = false;

/** From its first bulk run on, this thread leaves the processor to queries and to whatever answers people. */
function standBack(): void {
  if (standsBack || process.platform !== "linux") return;
  standsBack = true;
  setPriority(0, BULK_NICENESS);
}

function describe(error: unknown): WorkerFailure {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof InvalidInputError) return { reason: "refused", message };
  if (error instanceof UnservableGraphError) return { reason: "unservable", message };
  return { reason: "internal", message };
}

async function serve({ id, request }: { id: number; request: WorkerRequest }): Promise<void> {
  let reply: WorkerReply;
  try {
    reply = { id, ok: true, value: await answer(request) };
  } catch (error) {
    reply = { id, ok: false, failure: describe(error) };
  }
  port.postMessage(reply, reply.ok ? buffersOf(reply.value) : []);
}

function buffersOf(value: WorkerValue): ArrayBuffer[] {
  if (value && "vectors" in value) return [value.vectors.buffer as ArrayBuffer];
  return value && "outputs" in value ? ownBuffers(value.outputs) : [];
}

// One at a time: a release must not overtake the run before it.
let last = Promise.resolve();
port.on("message", (message: { id: number; request: WorkerRequest } | "stop") => {
  last = last.then(() => (message === "stop" ? port.close() : serve(message)));
});
