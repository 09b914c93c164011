import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { UnfitTokenizerError } from "./tokenizer.rules.js";

export interface TokenizerTrialRequest {
  /** Of the tokenizer.json. */
  path: string;
  sample: string;
  prefixes: readonly string[];
}

export interface TokenizerTrial {
  sampleIds: number[];
  /** Tokens of the longest prefix, special ones included. */
  reservedTokens: number;
  largestId: number;
  maxLength: number | null;
}

/** What the thread says to the one who started it. */
export type TokenizerVerdict = { ok: true; trial: TokenizerTrial } | { ok: false; fault: string };

const HEAP_MEGABYTES = 2048;
const TIMEOUT_MS = 60_000;
const threadFile = new URL("./tokenizer-trial.thread.js", import.meta.url);

/**
 * Reads a tokenizer.json of unknown origin in a thread of its own, bounded in time and memory: its patterns may
 * run for ever.
 * @throws {UnfitTokenizerError} when it cannot be used
 */
export async function tryTokenizer(request: TokenizerTrialRequest): Promise<TokenizerTrial> {
  const thread = new Worker(threadFile, {
    workerData: request,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MEGABYTES },
  });
  const late = new AbortController();
  try {
    const verdict = await Promise.race([
      once(thread, "message").then(([message]) => message as TokenizerVerdict),
      delay(TIMEOUT_MS, undefined, { signal: late.signal }).then((): TokenizerVerdict => {
        return { ok: false, fault: `tokenizer.json could not be used within ${TIMEOUT_MS / 1000} s` };
      }),
    ]);
    if (!verdict.ok) throw new UnfitTokenizerError(verdict.fault);
    return verdict.trial;
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ERR_WORKER_OUT_OF_MEMORY"))
      throw error;
    throw new UnfitTokenizerError(`tokenizer.json takes more than ${HEAP_MEGABYTES} MB of memory`, {
      cause: error,
    });
  } finally {
    late.abort();
    await thread.terminate();
  }
}
