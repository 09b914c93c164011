import type { Duplex } from "node:stream";
import type pg from "pg";
import { DataSource } from "typeorm";
import type { DataSourceOptions, QueryRunner } from "typeorm";
import type { RequestsUnderWay } from "./requests-under-way.js";
import { StatementCanceller } from "./statement-canceller.js";
import { translateFailure } from "./translate-failure.js";

export interface DataSourceGuard {
  /** How `pg` reaches the server. */
  connection: pg.ClientConfig;
  /** A server that is silent for longer is gone, in milliseconds; longer than its own statement time-out. */
  silenceMs?: number;
  /** Statements end with the requests that they belong to; they outlive them without it. */
  requests?: RequestsUnderWay;
}

/** A TypeORM data source whose failures are typed, and whose server is not waited for without end. */
export class GuardedDataSource extends DataSource {
  private readonly canceller: StatementCanceller;

  constructor(
    options: DataSourceOptions,
    private readonly guard: DataSourceGuard,
  ) {
    super(options);
    this.canceller = new StatementCanceller(guard.connection);
  }

  override createQueryRunner(mode?: "master" | "slave"): QueryRunner {
    const runner = super.createQueryRunner(mode);
    const query = runner.query.bind(runner) as (...args: unknown[]) => Promise<unknown>;
    runner.query = async (...args: unknown[]): Promise<never> => {
      const ended = this.guard.requests?.begin(args[0], () => this.cancel(runner));
      const stop = this.watch(runner);
      try {
        return (await query(...args)) as never;
      } catch (error) {
        throw translateFailure(error);
      } finally {
        stop();
        await ended?.();
      }
    };
    return runner;
  }

  private async cancel(runner: QueryRunner): Promise<void> {
    const client = await (runner.connect() as Promise<{ processID?: number }>).catch(() => undefined);
    if (client?.processID != null) await this.canceller.cancel(client.processID);
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
  const client = await (runner.connect() as Promise<pg.PoolClient>).catch(() => undefined);
  // Not among the driver's types: the socket below its protocol.
  (client as { connection?: { stream: Duplex } } | undefined)?.connection?.stream.destroy();
}
