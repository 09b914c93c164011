import { parentPort, workerData } from "node:worker_threads";
import { env, InferenceSession, Tensor } from "onnxruntime-node";

export interface RawEncoderSettings {
  path: string;
  intraOpThreads: number;
}

/** Batches of one round, all [texts, tokens]; `next` is shared by the threads that take from them. */
export interface RawRound {
  batches: { ids: BigInt64Array; mask: BigInt64Array; shape: [number, number] }[];
  next: SharedArrayBuffer;
}

// What a program would do that calls onnxruntime-node itself: no queue, no tokens to make, nothing to pool.
const { path, intraOpThreads } = workerData as RawEncoderSettings;
env.logLevel = "fatal";
const session = await InferenceSession.create(path, {
  intraOpNumThreads: intraOpThreads,
  interOpNumThreads: 1,
});

parentPort!.on("message", ({ batches, next }: RawRound) => {
  void work(batches, new Int32Array(next)).then(() => parentPort!.postMessage("done"));
});
parentPort!.postMessage("ready");

async function work(batches: RawRound["batches"], next: Int32Array): Promise<void> {
  for (;;) {
    const batch = batches[Atomics.add(next, 0, 1)];
    if (!batch) return;
    const { ids, mask, shape } = batch;
    await session.run({
      input_ids: new Tensor("int64", ids, shape),
      attention_mask: new Tensor("int64", mask, shape),
      token_type_ids: new Tensor("int64", new BigInt64Array(ids.length), shape),
    });
  }
}
