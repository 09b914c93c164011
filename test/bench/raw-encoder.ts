import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { RawEncoderSettings, RawRound } from "./raw-encoder.thread.js";

/** Plain onnxruntime-node in some threads, each with a session of its own. */
export class RawEncoder {
  private constructor(private readonly threads: readonly Worker[]) {}

  static async start(path: string, threads: number, intraOpThreads: number): Promise<RawEncoder> {
    const workerData: RawEncoderSettings = { path, intraOpThreads };
    const url = new URL("./raw-encoder.thread.js", import.meta.url);
    const workers = Array.from({ length: threads }, () => new Worker(url, { workerData }));
    await Promise.all(workers.map((worker) => once(worker, "message")));
    return new RawEncoder(workers);
  }

  /**
   * Runs texts in batches of so many, sorted by length.
   * @param texts ids of their tokens
   * @returns seconds
   */
  async run(texts: readonly Int32Array[], batchSize: number): Promise<number> {
    const sorted = texts.toSorted((a, b) => b.length - a.length);
    const batches: RawRound["batches"] = [];
    for (let i = 0; i < sorted.length; i += batchSize) batches.push(toBatch(sorted.slice(i, i + batchSize)));
    const round: RawRound = { batches, next: new SharedArrayBuffer(4) };
    const start = performance.now();
    for (const thread of this.threads) thread.postMessage(round);
    await Promise.all(this.threads.map((thread) => once(thread, "message")));
    return (performance.now() - start) / 1000;
  }

  async close(): Promise<void> {
    await Promise.all(this.threads.map((thread) => thread.terminate()));
  }
}

function toBatch(texts: readonly Int32Array[]): RawRound["batches"][number] {
  const tokens = texts[0]!.length;
  const ids = new BigInt64Array(texts.length * tokens);
  const mask = new BigInt64Array(texts.length * tokens);
  for (const [row, text] of texts.entries()) {
    text.forEach((id, i) => (ids[row * tokens + i] = BigInt(id)));
    mask.fill(1n, row * tokens, row * tokens + text.length);
  }
  return { ids, mask, shape: [texts.length, tokens] };
}
