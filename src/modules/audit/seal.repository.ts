import type { Transaction } from "../../ports/database.js";
import type { AuditPosition, Seal, SealedEntry } from "./seal.rules.js";

export interface UnsealedEntries {
  /** Before all that an open transaction could still add, in their order. */
  settled: SealedEntry[];
  /** Whether there are others. */
  more: boolean;
  /** By the database's clock, ISO. */
  now: string;
}

const ISO = `'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'`;
const instant = (sql: string) => `to_char((${sql})::timestamptz(3) AT TIME ZONE 'UTC', ${ISO})`;
const ENTRY = `transaction_id, id, ${instant("at")} AS at, actor, action, target, outcome, request_id,
  detail::text AS detail`;
const SEAL = `number, ${instant("at")} AS at, month::text AS month, after_transaction_id, after_id,
  last_transaction_id, last_id, entries, entries_sha256, previous, digest`;

interface EntryRecord extends Record<keyof Omit<SealedEntry, "target" | "requestId">, string> {
  transaction_id: string;
  request_id: string;
  target: string | null;
}

type SealRecord = Record<string, string> & { entries: number };

/** The chain over the audit entries, and the entries as it sees them. */
export class SealRepository {
  constructor(private readonly tx: Transaction) {}

  /** @returns false when another process seals, for this transaction */
  async tryLock(): Promise<boolean> {
    const [lock] = await this.tx.query<{ mine: boolean }[]>(
      "SELECT pg_try_advisory_xact_lock(hashtextextended('audit_seals', 0)) AS mine",
    );
    return lock!.mine;
  }

  /** Waits for another process that seals or signs. */
  async lock(): Promise<void> {
    await this.tx.query("SELECT pg_advisory_xact_lock(hashtextextended('audit_seals', 0))");
  }

  async last(): Promise<Seal | undefined> {
    const [row] = await this.tx.query<SealRecord[]>(
      `SELECT ${SEAL} FROM audit_seals ORDER BY number DESC LIMIT 1`,
    );
    return row && toSeal(row);
  }

  /** The last one that was made before an instant. */
  async lastBefore(time: Date): Promise<Seal | undefined> {
    const [row] = await this.tx.query<SealRecord[]>(
      `SELECT ${SEAL} FROM audit_seals WHERE at < $1 ORDER BY number DESC LIMIT 1`,
      [time],
    );
    return row && toSeal(row);
  }

  async unsealed(after: AuditPosition, limit: number): Promise<UnsealedEntries> {
    const rows = await this.tx.query<(EntryRecord & { settled: boolean; now: string })[]>(
      `SELECT ${ENTRY}, ${instant("clock_timestamp()")} AS now,
         transaction_id < pg_snapshot_xmin(pg_current_snapshot())::text::bigint
           + (SELECT added FROM event_origin) AS settled
       FROM audit_entries WHERE (transaction_id, id) > ($1, $2) ORDER BY transaction_id, id LIMIT ${limit}`,
      [String(after.transactionId), String(after.id)],
    );
    const open = rows.findIndex(({ settled }) => !settled);
    const settled = rows.slice(0, open < 0 ? rows.length : open).map(toEntry);
    return { settled, more: open >= 0 || rows.length === limit, now: rows[0]?.now ?? "" };
  }

  /** Seconds since the oldest entry that is in no seal; 0 when there is none. */
  async lag(): Promise<number> {
    const [row] = await this.tx.query<{ lag: number }[]>(
      `SELECT coalesce(extract(epoch FROM clock_timestamp() - min(at)), 0)::float8 AS lag FROM audit_entries
       WHERE (transaction_id, id) > (
         SELECT coalesce(max(last_transaction_id), 0), coalesce(max(last_id), 0)
         FROM (SELECT last_transaction_id, last_id FROM audit_seals ORDER BY number DESC LIMIT 1) AS newest)`,
    );
    return row!.lag;
  }

  async append(seals: readonly Seal[]): Promise<void> {
    for (const { number, at, month, after, last, entries, entriesSha256, previous, digest } of seals) {
      await this.tx.query(
        `INSERT INTO audit_seals (number, at, month, after_transaction_id, after_id, last_transaction_id, last_id,
           entries, entries_sha256, previous, digest)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
        [
          ...[String(number), at, month, String(after.transactionId), String(after.id)],
          ...[String(last.transactionId), String(last.id), entries, entriesSha256, previous, digest],
        ],
      );
    }
  }

  /** Those after a number, in their order. */
  async sealsAfter(number: bigint, limit: number): Promise<Seal[]> {
    const rows = await this.tx.query<SealRecord[]>(
      `SELECT ${SEAL} FROM audit_seals WHERE number > $1 ORDER BY number LIMIT ${limit}`,
      [String(number)],
    );
    return rows.map(toSeal);
  }

  /** Those after a position, in their order. */
  async entriesAfter(after: AuditPosition, limit: number): Promise<SealedEntry[]> {
    const rows = await this.tx.query<EntryRecord[]>(
      `SELECT ${ENTRY} FROM audit_entries WHERE (transaction_id, id) > ($1, $2)
       ORDER BY transaction_id, id LIMIT ${limit}`,
      [String(after.transactionId), String(after.id)],
    );
    return rows.map(toEntry);
  }

  /** Entries up to a position that are not older than a month's first day. */
  async countUpTo(last: AuditPosition, month: string): Promise<number> {
    const [row] = await this.tx.query<{ count: string }[]>(
      `SELECT count(*) AS count FROM audit_entries
       WHERE (transaction_id, id) <= ($1, $2) AND at >= $3::timestamptz`,
      [String(last.transactionId), String(last.id), `${month} 00:00Z`],
    );
    return Number(row!.count);
  }
}

function toEntry({ transaction_id, request_id, id, ...row }: EntryRecord): SealedEntry {
  const { at, actor, action, target, outcome, detail } = row;
  return {
    ...{ transactionId: BigInt(transaction_id), id: BigInt(id) },
    ...{ at, actor, action, target, outcome, requestId: request_id, detail },
  };
}

function toSeal(row: SealRecord): Seal {
  return {
    ...{ number: BigInt(row.number!), at: row.at!, month: row.month! },
    after: { transactionId: BigInt(row.after_transaction_id!), id: BigInt(row.after_id!) },
    last: { transactionId: BigInt(row.last_transaction_id!), id: BigInt(row.last_id!) },
    ...{ entries: row.entries, entriesSha256: row.entries_sha256! },
    ...{ previous: row.previous!, digest: row.digest! },
  };
}
