import { DataSource } from "typeorm";
import type { DataSourceOptions, QueryRunner } from "typeorm";
import { TimeoutError } from "../../shared/errors.js";
import { cancelStatement } from "./cancel-statement.js";
import type { ConnectedClient } from "./cancel-statement.js";
import { endsTransaction } from "./requests-under-way.js";
import type { RequestsUnderWay } from "./requests-under-way.js";
import { DatabaseUnavailableError, translateFailure } from "./translate-failure.js";

export interface DataSourceGuard {
  /** A server that is silent for longer is gone, in milliseconds; longer than its own statement time-out. */
  silenceMs?: number;
  /** Statements end with the requests that they belong to; they outlive them without it. */
  requests?: RequestsUnderWay;
}

/** A statement that is to end is told so again and again, after so many milliseconds at first, and twice as many each time. */
const CANCEL_AGAIN_MS = 500;

/** A TypeORM data source whose failures are typed, and whose server is not waited for without end. */
export class GuardedDataSource extends DataSource {
  constructor(
    options: DataSourceOptions,
    private readonly guard: DataSourceGuard,
  ) {
    super(options);
  }

  override createQueryRunner(mode?: "master" | "slave"): QueryRunner {
    const runner = super.createQueryRunner(mode);
    const query = runner.query.bind(runner) as (...args: unknown[]) => Promise<unknown>;
    runner.query = async (...args: unknown[]): Promise<never> => {
      const statement = new Statement(runner, args[0]);
      const ended = this.guard.requests?.begin(args[0], () => statement.cancel());
      const stop = this.watch(statement);
      let answer: unknown;
      try {
        answer = await query(...args);
      } catch (error) {
        throw translateFailure(error);
      } finally {
        stop();
        await statement.end();
        await ended?.();
      }
      statement.assertWanted();
      return answer as never;
    };
    return runner;
  }

  /** A machine that died says nothing, and TCP goes on asking it for a quarter of an hour. */
  private watch(statement: Statement): () => void {
    const { silenceMs } = this.guard;
    if (silenceMs === undefined || statement.isUnhurried) return () => undefined;
    const timer = setTimeout(() => statement.giveUp(), silenceMs);
    return () => clearTimeout(timer);
  }
}

/** One that is under way. */
class Statement {
  private ended = false;
  private cancelled = false;
  private givenUp?: Promise<void>;
  private wake: () => void = () => undefined;

  constructor(
    private readonly runner: QueryRunner,
    private readonly sql: unknown,
  ) {}

  /** Whether it may take as long as it needs. */
  get isUnhurried(): boolean {
    return (this.runner.data as { unhurried?: boolean } | undefined)?.unhurried === true;
  }

  /**
   * Resolves when it has ended. A request that comes before it has begun, be it on its way or in a pooler's queue, is
   * without effect.
   */
  async cancel(): Promise<void> {
    this.cancelled = true;
    const client = await this.client();
    for (let waitMs = CANCEL_AGAIN_MS; client && !this.ended; waitMs *= 2) {
      await cancelStatement(client);
      await this.endOr(waitMs);
    }
  }

  /** It fails, and the pool makes another connection. */
  giveUp(): void {
    this.givenUp ??= this.breakConnection();
  }

  /** @throws when it has been answered, and nobody may be told so */
  assertWanted(): void {
    if (this.givenUp) throw new DatabaseUnavailableError("the database does not answer");
    // What follows would be done for nobody, however long it takes.
    if (this.cancelled && BEGINS_TRANSACTION.test(String(this.sql))) {
      throw new TimeoutError("nobody waits for the answer any more");
    }
  }

  async end(): Promise<void> {
    this.ended = true;
    this.wake();
    // The connection that is about to break is nobody else's.
    await this.givenUp;
  }

  private async breakConnection(): Promise<void> {
    const client = await this.client();
    // A commit that waits for a standby would go on, and keep its session, without us: no time-out is for it.
    if (client && endsTransaction(this.sql)) await cancelStatement(client);
    client?.connection.stream.destroy();
  }

  private client(): Promise<ConnectedClient | undefined> {
    return (this.runner.connect() as Promise<ConnectedClient>).catch(() => undefined);
  }

  private async endOr(ms: number): Promise<void> {
    if (this.ended) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

const BEGINS_TRANSACTION = /^\s*(START TRANSACTION|BEGIN|SAVEPOINT)\b/i;
