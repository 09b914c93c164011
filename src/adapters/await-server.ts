import { setTimeout as delay } from "node:timers/promises";
import { PlatformError, UnavailableError } from "../shared/errors.js";
import type { AdapterLog } from "./adapter-log.js";

export interface AwaitServerOptions {
  /** How long to try; 0 tries once. */
  timeoutMs: number;
  log?: AdapterLog;
  /** Whether trying again cannot help, e.g. wrong credentials; a `PlatformError` always is. */
  isFinal?: (error: Error) => boolean;
}

/** Waits between attempts, in milliseconds. */
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 5_000;
/** An attempt may finish when the time is over: the server may just have come. */
const LAST_ATTEMPT_MS = 5_000;

/**
 * Tries until the server answers, ever more seldom. What an attempt opens and does not return it closes itself.
 * @param name of the variable that says where the server is, e.g. `ML_VECTOR_DB_DSN`
 * @throws {UnavailableError} naming the variable, when the time is over or trying again cannot help; a
 *   `PlatformError` of the attempt as it is
 */
export async function awaitServer<T>(
  name: string,
  attempt: () => Promise<T>,
  { timeoutMs, log, isFinal = () => false }: AwaitServerOptions,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (let retryMs = FIRST_RETRY_MS; ; retryMs = Math.min(retryMs * 2, LAST_RETRY_MS)) {
    try {
      return await within(Math.max(deadline - Date.now(), LAST_ATTEMPT_MS), attempt());
    } catch (error) {
      const failure = error as NodeJS.ErrnoException;
      if (failure instanceof PlatformError) throw failure;
      // Where a name has several addresses, the failures of all of them come without a message.
      const reason = failure.message || failure.code;
      if (isFinal(failure)) throw new UnavailableError(`${name}: ${reason}`, { cause: error });
      const leftMs = deadline - Date.now();
      if (leftMs <= 0) {
        throw new UnavailableError(`the server of ${name} does not answer: ${reason}`, { cause: error });
      }
      log?.warn({ event: "server.awaited", server: name, reason }, `waiting for the server of ${name}`);
      await delay(Math.min(retryMs, leftMs));
    }
  }
}

async function within<T>(limitMs: number, answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${limitMs} ms`)), limitMs);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
