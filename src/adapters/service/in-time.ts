/** What a caller waits for at most: a search that is made anew takes not much longer. */
const LIMIT_MS = 40;

export class LateError extends Error {
  override readonly name = "LateError";
}

/** @throws {LateError} when the answer of the shared cache has not come in time */
export async function inTime<T>(answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    // Where this process itself was late, the answer has come and only waits to be read: it gets the chance.
    timer = setTimeout(() => {
      setImmediate(() => reject(new LateError(`no answer within ${LIMIT_MS} ms`)));
    }, LIMIT_MS);
  });
  answer.catch(() => undefined);
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
    late.catch(() => undefined);
  }
}
