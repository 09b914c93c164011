import type { Transaction } from "../../ports/database.js";
import type { Period } from "./partition-span.rules.js";
import type { PartitionedTable } from "./partitioned-table.js";

export interface Partition extends Period {
  name: string;
}

/** Longest that anybody queues behind a change of partitions. */
const LOCK_TIMEOUT = "500ms";
const DELETED_AT_ONCE = 10_000;

/** Partitions of one table: partitions.<table>_<from>_<to>, and partitions.<table>_default. */
export class PartitionRepository {
  private readonly default: string;

  /** @param session without time-outs, since rows that are moved are copied */
  constructor(
    private readonly session: Transaction,
    private readonly table: PartitionedTable,
  ) {
    this.default = `partitions.${table.table}_default`;
  }

  /** Those of a period, the oldest first. */
  async list(): Promise<Partition[]> {
    const rows = await this.session.query<{ name: string }[]>(
      `SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
       WHERE i.inhparent = $1::regclass ORDER BY c.relname`,
      [this.table.table],
    );
    return rows.flatMap(({ name }) => {
      const [from, to] = name.match(/\d{8}/g) ?? [];
      return from && to ? [{ name, from: withHyphens(from), to: withHyphens(to) }] : [];
    });
  }

  /** Instants of rows in the default partition, one for each period; the oldest first. */
  async strays(limit: number): Promise<Date[]> {
    const { column, span } = this.table;
    // Dates become instants by it; for this session alone.
    await this.session.query("SET TIME ZONE 'UTC'");
    const rows = await this.session.query<{ at: Date }[]>(
      `SELECT min(${column}::timestamptz) AS at FROM ${this.default}
       GROUP BY date_trunc('${span}', ${column}::timestamptz) ORDER BY 1 LIMIT ${limit}`,
    );
    return rows.map(({ at }) => at);
  }

  /**
   * Makes the partition of a period and moves into it what the default partition has caught of it.
   * @returns false when it is there, or another process is at it
   * @throws {TimeoutError} when the table is in use by a transaction that does not end
   */
  async make(period: Period): Promise<boolean> {
    const name = nameOf(this.table, period);
    return this.alone(async (tx) => {
      const [there] = await tx.query<unknown[]>("SELECT FROM pg_class WHERE oid = to_regclass($1)", [name]);
      if (there) return false;
      await tx.query(`CREATE TABLE ${name} (LIKE ${this.table.table} INCLUDING DEFAULTS INCLUDING STORAGE)`);
      if (this.table.appendOnly) await tx.query(notToBeTruncated(name));
      await tx.query(`LOCK TABLE ${this.default} IN ACCESS EXCLUSIVE MODE`);
      await this.moveStrays(tx, name, period);
      await tx.query(
        `ALTER TABLE ${this.table.table} ATTACH PARTITION ${name}
         FOR VALUES FROM ('${period.from} 00:00Z') TO ('${period.to} 00:00Z')`,
      );
      return true;
    });
  }

  /** @returns false when it is gone, or another process is at it */
  async drop({ name }: Partition): Promise<boolean> {
    return this.alone(async (tx) => {
      const [there] = await tx.query<unknown[]>("SELECT FROM pg_class WHERE oid = to_regclass($1)", [
        `partitions.${name}`,
      ]);
      if (there) await tx.query(`DROP TABLE partitions.${name}`);
      return there !== undefined;
    });
  }

  /** Removes what no partition ever took, some rows at a time. */
  async deleteStraysBefore(time: Date): Promise<void> {
    if (this.table.appendOnly) return this.deleteKeptStraysBefore(time);
    for (let deleted = DELETED_AT_ONCE; deleted === DELETED_AT_ONCE;) {
      const [, count] = await this.session.query<[unknown, number]>(
        `DELETE FROM ${this.default} WHERE ctid = ANY(ARRAY(
           SELECT ctid FROM ${this.default} WHERE ${this.table.column} < $1 LIMIT ${DELETED_AT_ONCE}))`,
        [time],
      );
      deleted = count;
    }
  }

  private async deleteKeptStraysBefore(time: Date): Promise<void> {
    const before = `FROM ${this.default} WHERE ${this.table.column} < $1`;
    const [stray] = await this.session.query<unknown[]>(`SELECT ${before} LIMIT 1`, [time]);
    if (!stray) return;
    await this.alone(async (tx) => {
      await tx.query(`ALTER TABLE ${this.default} DISABLE TRIGGER USER`);
      await tx.query(`DELETE ${before}`, [time]);
      await tx.query(`ALTER TABLE ${this.default} ENABLE TRIGGER USER`);
      return true;
    });
  }

  private async moveStrays(tx: Transaction, into: string, { from, to }: Period): Promise<void> {
    const { column, appendOnly } = this.table;
    const within = `${column} >= '${from} 00:00Z' AND ${column} < '${to} 00:00Z'`;
    const [stray] = await tx.query<unknown[]>(`SELECT FROM ${this.default} WHERE ${within} LIMIT 1`);
    if (!stray) return;
    // Nobody else sees the default partition before all of it has happened: no row changes, or is ever missing.
    if (appendOnly) await tx.query(`ALTER TABLE ${this.default} DISABLE TRIGGER USER`);
    await tx.query(`INSERT INTO ${into} SELECT * FROM ${this.default} WHERE ${within}`);
    await tx.query(`DELETE FROM ${this.default} WHERE ${within}`);
    if (appendOnly) await tx.query(`ALTER TABLE ${this.default} ENABLE TRIGGER USER`);
  }

  /** One process at a time changes a table's partitions; another need not wait for it to do the same. */
  private alone(work: (tx: Transaction) => Promise<boolean>): Promise<boolean> {
    return this.session.transaction(async (tx) => {
      await tx.query(`SET LOCAL lock_timeout = '${LOCK_TIMEOUT}'`);
      const [lock] = await tx.query<{ mine: boolean }[]>(
        "SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0)) AS mine",
        [this.default],
      );
      return lock!.mine && work(tx);
    });
  }
}

function nameOf({ table }: PartitionedTable, { from, to }: Period): string {
  return `partitions.${table}_${from}_${to}`.replaceAll("-", "");
}

function withHyphens(date: string): string {
  return `${date.slice(0, 4)}-${date.slice(4, 6)}-${date.slice(6)}`;
}

/** Triggers of rows are copied from the parent, this one is not. */
function notToBeTruncated(name: string): string {
  return `CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON ${name}
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()`;
}
