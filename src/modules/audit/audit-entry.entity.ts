import { Column, Entity, Index, PrimaryColumn } from "typeorm";

/**
 * Something that somebody did, or tried to do. Written in the transaction of what it tells of; triggers keep the
 * table append-only. `transaction_id` orders entries as it orders events: those of a transaction come after all
 * that was sealed before it ended.
 */
@Entity("audit_entries")
@Index("audit_entries_by_time", ["at", "id"])
@Index("audit_entries_by_actor", ["actor", "at", "id"])
@Index("audit_entries_by_position", ["transactionId", "id"])
export class AuditEntryRow {
  @PrimaryColumn({
    type: "bigint",
    generated: "identity",
    generatedIdentity: "ALWAYS",
    primaryKeyConstraintName: "audit_entries_pkey",
  })
  id!: string;

  @Column({ name: "transaction_id", type: "bigint" })
  transactionId!: string;

  /** Partitions are by month. */
  @PrimaryColumn({ type: "timestamptz", precision: 3, primaryKeyConstraintName: "audit_entries_pkey" })
  at!: Date;

  @Column({ type: "text" })
  actor!: string;

  @Column({ type: "text" })
  action!: string;

  @Column({ type: "text", nullable: true })
  target!: string | null;

  /** OK, or the code of the error. */
  @Column({ type: "text" })
  outcome!: string;

  @Column({ name: "request_id", type: "text" })
  requestId!: string;

  @Column({ type: "jsonb" })
  detail!: Record<string, unknown>;
}
