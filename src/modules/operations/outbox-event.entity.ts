import { Column, Entity, Index, PrimaryColumn } from "typeorm";

/**
 * A thing that happened, written in the transaction that made it true. `transaction_id` orders
 * what concurrent transactions wrote: a reader goes only as far as no older one is still open.
 */
@Entity("outbox_events")
@Index("outbox_events_by_topic", ["topic", "transactionId", "id"])
export class OutboxEvent {
  @PrimaryColumn({
    type: "bigint",
    generated: "identity",
    generatedIdentity: "ALWAYS",
    primaryKeyConstraintName: "outbox_events_pkey",
  })
  id!: string;

  @Column({ name: "transaction_id", type: "bigint" })
  transactionId!: string;

  @Column({ type: "text" })
  topic!: string;

  /** What the event is about: filters of subscriptions. */
  @Column({ type: "jsonb" })
  subject!: Record<string, string>;

  @Column({ type: "jsonb" })
  payload!: Record<string, unknown>;

  /** Partitions are by week. */
  @PrimaryColumn({ type: "timestamptz", primaryKeyConstraintName: "outbox_events_pkey" })
  at!: Date;
}
