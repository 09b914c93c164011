import { UnavailableError } from "../shared/errors.js";

const LIMIT_MS = 5_000;

/**
 * Waits for the answer of an engine, but not for long.
 * @param what names the engine, e.g. `the database`
 * @throws {UnavailableError} when it fails or is late
 */
export async function assertAnswers(
  what: string,
  answer: Promise<unknown>,
  limitMs = LIMIT_MS,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${limitMs} ms`)), limitMs);
  });
  try {
    await Promise.race([answer, late]);
  } catch (error) {
    throw new UnavailableError(`${what} does not answer`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}
