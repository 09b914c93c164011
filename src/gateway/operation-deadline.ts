import type { RequestContext } from "../modules/identity/index.js";
import type { Database } from "../ports/database.js";
import { TimeoutError } from "../shared/errors.js";

/** For a mutation to come to its end, once its statement under way has been ended. */
const LAST_CHANCE_MS = 3_000;

/** Bounds how long an operation takes, and ends what it has under way when nobody waits for it any more. */
export class OperationDeadline {
  constructor(
    private readonly database: Pick<Database, "abandon">,
    private readonly limitMs: number,
  ) {}

  /**
   * Queries end with the limit, and when their caller goes away. A mutation is not torn: the statement that it waits
   * for is ended, which takes its transaction back, and then it says itself what became of it; one whose caller went
   * away goes on.
   * @throws {TimeoutError}
   */
  hold<T>(context: RequestContext, type: string | undefined, work: () => Promise<T>): Promise<T> {
    const { presence, operation: own } = context;
    const isMutation = type === "mutation";
    presence.whenLeft(() => {
      if (isMutation || !own.served) return;
      own.served.over = true;
      this.database.abandon(own.served);
    });
    return new Promise<T>((resolve, reject) => {
      const expire = (): void => {
        const late = new TimeoutError(`took longer than ${this.limitMs} ms (ML_OPERATION_TIMEOUT_MS)`);
        presence.leave(late);
        if (!isMutation) return reject(late);
        if (own.served) this.database.abandon(own.served);
        timer = setTimeout(() => reject(unknownOutcome(this.limitMs)), LAST_CHANCE_MS);
      };
      let timer = setTimeout(expire, this.limitMs);
      work().then(
        (answer) => {
          clearTimeout(timer);
          resolve(answer);
        },
        (error: unknown) => {
          clearTimeout(timer);
          reject(error as Error);
        },
      );
    });
  }
}

function unknownOutcome(limitMs: number): TimeoutError {
  return new TimeoutError(
    `took longer than ${limitMs} ms (ML_OPERATION_TIMEOUT_MS) and goes on; see what has become of it before repeating it`,
  );
}
