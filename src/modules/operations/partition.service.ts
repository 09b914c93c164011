import { setTimeout as delay } from "node:timers/promises";
import type { Database, Transaction } from "../../ports/database.js";
import { TimeoutError } from "../../shared/errors.js";
import type { Logger } from "../../telemetry/logger.js";
import { isOver, periodOf } from "./partition-span.rules.js";
import type { PartitionedTable } from "./partitioned-table.js";
import { PartitionRepository } from "./partition.repository.js";

const DAY_MS = 86_400_000;
/** Periods whose strays one run moves: each keeps readers waiting while its rows are copied. */
const MOST_STRAY_PERIODS = 12;
/** A table that is never free for half a second is left for the next run. */
const MOST_ATTEMPTS = 10;
const RETRY_MS = 500;

/** Makes the partitions of large tables before they are needed, and drops them when their rows have had their time. */
export class PartitionService {
  constructor(
    private readonly database: Database,
    private readonly tables: readonly PartitionedTable[],
    private readonly logger: Logger,
  ) {}

  /** Any number of processes may do so at once. */
  async maintain(now = new Date()): Promise<void> {
    await this.database.asOwner(async (session) => {
      for (const table of this.tables) await this.maintainTable(session, table, now);
    });
  }

  private async maintainTable(session: Transaction, table: PartitionedTable, now: Date): Promise<void> {
    const partitions = new PartitionRepository(session, table);
    const cutoff =
      table.keepDays === undefined ? undefined : new Date(now.getTime() - table.keepDays * DAY_MS);
    if (cutoff) await partitions.deleteStraysBefore(cutoff);
    const wanted = [
      ...Array.from({ length: table.ahead + 1 }, (_, later) => periodOf(table.span, now, later)),
      ...(await partitions.strays(MOST_STRAY_PERIODS)).map((at) => periodOf(table.span, at)),
    ];
    const there = await partitions.list();
    const known = new Set(there.map(({ from }) => from));
    for (const period of wanted) {
      if (known.has(period.from)) continue;
      known.add(period.from);
      await this.change("made", table, period.from, () => partitions.make(period));
    }
    for (const partition of there) {
      if (!cutoff || !isOver(partition, cutoff)) continue;
      await this.change("dropped", table, partition.from, () => partitions.drop(partition));
    }
  }

  private async change(
    what: "made" | "dropped",
    { table }: PartitionedTable,
    from: string,
    work: () => Promise<boolean>,
  ): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        if (!(await work())) return;
        this.logger.info({ event: `partition.${what}`, table, from }, `a partition was ${what}`);
        return;
      } catch (err) {
        if (!(err instanceof TimeoutError)) throw err;
        if (attempt === MOST_ATTEMPTS) {
          this.logger.warn(
            { event: "partition.busy", err, table, from },
            "a table in use kept its partitions",
          );
          return;
        }
        await delay(RETRY_MS);
      }
    }
  }
}
