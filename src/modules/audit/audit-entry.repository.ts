import type { Transaction } from "../../ports/database.js";
import { toPage } from "../../shared/pagination.js";
import type { Page, PageRequest } from "../../shared/pagination.js";
import { AuditEntryRow } from "./audit-entry.entity.js";

/** An entry before it has a place in the log. */
export interface NewAuditEntry {
  actor: string;
  action: string;
  target: string | null;
  /** OK, or the code of the error. */
  outcome: string;
  requestId: string;
  detail: Record<string, unknown>;
}

export interface AuditFilter {
  actor?: string;
  action?: string;
  /** The first instant that is part of it. */
  from?: Date;
  /** The first that no longer is. */
  to?: Date;
}

const COLUMNS = "transaction_id, at, actor, action, target, outcome, request_id, detail";
const POSITION = "pg_current_xact_id()::text::bigint + (SELECT added FROM event_origin), clock_timestamp()";

/** The append-only table of audit entries. */
export class AuditEntryRepository {
  constructor(private readonly tx: Transaction) {}

  async append(entries: readonly NewAuditEntry[]): Promise<void> {
    const column = <T>(of: (entry: NewAuditEntry) => T): T[] => entries.map(of);
    await this.tx.query(
      `INSERT INTO audit_entries (${COLUMNS})
       SELECT ${POSITION}, entry.* FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[],
         $6::jsonb[]) AS entry`,
      [
        column(({ actor }) => actor),
        column(({ action }) => action),
        column(({ target }) => target),
        column(({ outcome }) => outcome),
        column(({ requestId }) => requestId),
        column(({ detail }) => JSON.stringify(detail)),
      ],
    );
  }

  /**
   * Appends an entry if the transaction has written, or locked, anything so far.
   * @returns whether it has
   */
  async appendIfWritten(entry: NewAuditEntry): Promise<boolean> {
    const appended = await this.tx.query<unknown[]>(
      `INSERT INTO audit_entries (${COLUMNS}) SELECT ${POSITION}, $1, $2, $3, $4, $5, $6::jsonb
       WHERE pg_current_xact_id_if_assigned() IS NOT NULL RETURNING id`,
      [
        ...[entry.actor, entry.action, entry.target, entry.outcome, entry.requestId],
        JSON.stringify(entry.detail),
      ],
    );
    return appended.length > 0;
  }

  find(id: string): Promise<AuditEntryRow | null> {
    return this.tx.findOneBy(AuditEntryRow, { id });
  }

  /** Newest first. */
  async list({ actor, action, from, to }: AuditFilter, page: PageRequest): Promise<Page<AuditEntryRow>> {
    const query = this.tx.createQueryBuilder(AuditEntryRow, "entry");
    if (actor !== undefined) query.andWhere("entry.actor = :actor", { actor });
    if (action !== undefined) query.andWhere("entry.action = :action", { action });
    if (from !== undefined) query.andWhere("entry.at >= :from", { from });
    if (to !== undefined) query.andWhere("entry.at < :to", { to });
    const count = query.clone();
    if (page.after) {
      query.andWhere("(entry.at, entry.id) < (:at, :id)", { at: page.after[0], id: page.after[1] });
    }
    const rows = await query
      .orderBy("entry.at", "DESC")
      .addOrderBy("entry.id", "DESC")
      .limit(page.limit + 1)
      .getMany();
    return toPage(
      rows,
      page,
      (row) => [row.at.toISOString(), Number(row.id)],
      () => count.getCount(),
    );
  }
}
