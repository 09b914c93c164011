import { Column, Entity, PrimaryColumn } from "typeorm";

/**
 * A link of the chain over the audit entries: it covers those whose position comes after the previous seal's last
 * one, up to its own. Triggers keep the table append-only.
 */
@Entity("audit_seals")
export class AuditSealRow {
  /** 1, 2, 3 ... without gaps. */
  @PrimaryColumn({ type: "bigint", primaryKeyConstraintName: "audit_seals_pkey" })
  number!: string;

  /** Partitions are by month. */
  @PrimaryColumn({ type: "timestamptz", precision: 3, primaryKeyConstraintName: "audit_seals_pkey" })
  at!: Date;

  /** In which all of its entries lie, as the first of it: YYYY-MM-01. */
  @Column({ type: "date" })
  month!: string;

  /** Last position of the previous seal. */
  @Column({ name: "after_transaction_id", type: "bigint" })
  afterTransactionId!: string;

  @Column({ name: "after_id", type: "bigint" })
  afterId!: string;

  @Column({ name: "last_transaction_id", type: "bigint" })
  lastTransactionId!: string;

  @Column({ name: "last_id", type: "bigint" })
  lastId!: string;

  /** How many there are. */
  @Column({ type: "integer" })
  entries!: number;

  /** Of their canonical form, in the order of their positions. */
  @Column({ name: "entries_sha256", type: "text" })
  entriesSha256!: string;

  /** Digest of the previous seal; of the first one, zeros. */
  @Column({ type: "text" })
  previous!: string;

  /** SHA-256 over all that the seal says. */
  @Column({ type: "text" })
  digest!: string;
}
