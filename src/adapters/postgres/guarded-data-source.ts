import { DataSource } from "typeorm";
import type { DataSourceOptions, QueryRunner } from "typeorm";
import { cancelStatement } from "./cancel-statement.js";
import type { ConnectedClient } from "./cancel-statement.js";
import type { RequestsUnderWay } from "./requests-under-way.js";
import { translateFailure } from "./translate-failure.js";

export interface DataSourceGuard {
  /** A server that is silent for longer is gone, in milliseconds; longer than its own statement time-out. */
  silenceMs?: number;
  /** Statements end with the requests that they belong to; they outlive them without it. */
  requests?: RequestsUnderWay;
}

/** A statement that is to end is told so again and again, this many milliseconds apart. */
const CANCEL_EVERY_MS = 500;

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
      const statement = new Statement(runner);
      const ended = this.guard.requests?.begin(args[0], () => statement.cancel());
      const stop = this.watch(runner);
      try {
        return (await query(...args)) as never;
      } catch (error) {
        throw translateFailure(error);
      } finally {
        stop();
        statement.end();
        await ended?.();
      }
    };
    return runner;
  }

  /** A machine that died says nothing, and TCP goes on asking it for a quarter of an hour. */
  private watch(runner: QueryRunner): () => void {
    const { silenceMs } = this.guard;
    if (silenceMs === undefined || isUnhurried(runner)) return () => undefined;
    const timer = setTimeout(() => void breakConnection(runner), silenceMs);
    return () => clearTimeout(timer);
  }
}

/** Whether statements of this runner may take as long as they need. */
function isUnhurried(runner: QueryRunner): boolean {
  return (runner.data as { unhurried?: boolean } | undefined)?.unhurried === true;
}

/** The statement under way fails, and the pool makes another connection. */
async function breakConnection(runner: QueryRunner): Promise<void> {
  (await clientOf(runner))?.connection.stream.destroy();
}

function clientOf(runner: QueryRunner): Promise<ConnectedClient | undefined> {
  return (runner.connect() as Promise<ConnectedClient>).catch(() => undefined);
}

/** One that is under way. */
class Statement {
  private ended = false;
  private wake: () => void = () => undefined;

  constructor(private readonly runner: QueryRunner) {}

  /**
   * Resolves when it has ended. A request that comes before the statement has begun, be it on its way or in a pooler's
   * queue, is without effect.
   */
  async cancel(): Promise<void> {
    const client = await clientOf(this.runner);
    while (client && !this.ended) {
      await cancelStatement(client);
      await this.endOr(CANCEL_EVERY_MS);
    }
  }

  end(): void {
    this.ended = true;
    this.wake();
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
