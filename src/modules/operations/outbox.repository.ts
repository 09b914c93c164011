import type { Transaction } from "../../ports/database.js";
import { InvalidInputError } from "../../shared/errors.js";

const EVENT_TOPICS = ["training", "promotion", "job"] as const;
export type EventTopic = (typeof EVENT_TOPICS)[number];

export interface NewEvent {
  topic: EventTopic;
  subject: Record<string, string>;
  payload: Record<string, unknown>;
}

export interface StoredEvent extends NewEvent {
  position: EventPosition;
  at: Date;
}

/** Place in the outbox: transaction first, then the row within it. */
export interface EventPosition {
  /** The database's number of it and what the platform has added since it came into this database. */
  transactionId: bigint;
  id: bigint;
}

export const OUTBOX_CHANNEL = "outbox";

const LARGEST_BATCH = 500;
const ADDED = "(SELECT added FROM event_origin)";
/** Transactions that another database may have had after the state that was taken from it. */
const UNKNOWN_TRANSACTIONS = 2n ** 32n;

/** The append-only table of events that subscriptions read. */
export class OutboxRepository {
  constructor(private readonly tx: Transaction) {}

  /** Appends an event, and wakes its readers once the transaction commits. */
  async append(event: NewEvent): Promise<EventPosition> {
    const [row] = await this.tx.query<{ id: string; transaction_id: string }[]>(
      `INSERT INTO outbox_events (transaction_id, topic, subject, payload, at)
       VALUES (pg_current_xact_id()::text::bigint + ${ADDED}, $1, $2, $3, clock_timestamp())
       RETURNING id, transaction_id`,
      [event.topic, event.subject, event.payload],
    );
    await this.tx.query("SELECT pg_notify($1, $2)", [OUTBOX_CHANNEL, event.topic]);
    return { transactionId: BigInt(row!.transaction_id), id: BigInt(row!.id) };
  }

  /** Events of a topic after a position, oldest first, as far as no open transaction could still add one before. */
  async readAfter(topic: EventTopic, after: EventPosition): Promise<StoredEvent[]> {
    const rows = await this.tx.query<
      {
        id: string;
        transaction_id: string;
        subject: Record<string, string>;
        payload: Record<string, unknown>;
        at: Date;
      }[]
    >(
      `SELECT id, transaction_id, subject, payload, at FROM outbox_events
       WHERE topic = $1 AND (transaction_id, id) > ($2, $3)
         AND transaction_id < pg_snapshot_xmin(pg_current_snapshot())::text::bigint + ${ADDED}
       ORDER BY transaction_id, id LIMIT ${LARGEST_BATCH}`,
      [topic, String(after.transactionId), String(after.id)],
    );
    return rows.map((row) => ({
      topic,
      subject: row.subject,
      payload: row.payload,
      at: row.at,
      position: { transactionId: BigInt(row.transaction_id), id: BigInt(row.id) },
    }));
  }

  /** Seconds since the oldest event that an open transaction keeps from readers; 0 when there is none. */
  async lag(): Promise<number> {
    const [row] = await this.tx.query<{ lag: number }[]>(
      `SELECT coalesce(extract(epoch FROM clock_timestamp() - min(at)), 0)::float8 AS lag FROM outbox_events
       WHERE topic = ANY ($1)
         AND transaction_id >= pg_snapshot_xmin(pg_current_snapshot())::text::bigint + ${ADDED}`,
      [EVENT_TOPICS],
    );
    return row!.lag;
  }

  /** The position after everything that is visible now. */
  async end(): Promise<EventPosition> {
    const [row] = await this.tx.query<{ xmin: string }[]>(
      `SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint + ${ADDED} AS xmin`,
    );
    return { transactionId: BigInt(row!.xmin) - 1n, id: MOST_ID };
  }

  /** Lets positions from now on come after all that another database has given out, whose events were imported. */
  async continueAfter(end: EventPosition): Promise<void> {
    await this.tx.query(continueAfter(end.transactionId));
  }
}

/**
 * The statement that lets positions go on in a database that was restored: clients may have cursors of events after
 * the backup, and audit entries stay longer than events. A backup of before may have none.
 */
export const CONTINUE_RESTORED = `DO $$ BEGIN
  ${continueAfter(0n)};
  IF to_regclass('public.audit_entries') IS NOT NULL THEN
    UPDATE event_origin SET added = greatest(added, (SELECT max(transaction_id) FROM audit_entries));
  END IF;
END $$`;

function continueAfter(transactionId: bigint): string {
  return `UPDATE event_origin SET added = ${UNKNOWN_TRANSACTIONS} +
    greatest(added, ${transactionId}, (SELECT max(transaction_id) FROM outbox_events))`;
}

const MOST_ID = 2n ** 63n - 1n;

/** Whether one event comes after another. */
export function isAfter(one: EventPosition, other: EventPosition): boolean {
  if (one.transactionId !== other.transactionId) return one.transactionId > other.transactionId;
  return one.id > other.id;
}

export function toEventCursor(position: EventPosition): string {
  return Buffer.from(`${position.transactionId}.${position.id}`).toString("base64url");
}

/** For those who are told of a change by other means: after it comes all that its transaction has to tell. */
export function cursorBefore({ transactionId }: EventPosition): string {
  return toEventCursor({ transactionId, id: 0n });
}

/** @throws {InvalidInputError} when it is not a cursor of an event */
export function parseEventCursor(cursor: string): EventPosition {
  const match = /^(\d{1,19})\.(\d{1,19})$/.exec(Buffer.from(cursor, "base64url").toString("utf8"));
  const position = match?.[1] && match[2] && { transactionId: BigInt(match[1]), id: BigInt(match[2]) };
  if (!position || position.transactionId > MOST_ID || position.id > MOST_ID) {
    throw InvalidInputError.at("after", "is not a cursor of an event");
  }
  return position;
}
