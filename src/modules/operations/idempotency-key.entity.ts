import { Column, Entity, PrimaryColumn } from "typeorm";

/** A mutation that must not happen twice: who asked for what under which key, and what came of it. */
@Entity("idempotency_keys")
export class IdempotencyKey {
  @PrimaryColumn({ type: "text", primaryKeyConstraintName: "idempotency_keys_pkey" })
  caller!: string;

  @PrimaryColumn({ type: "text", primaryKeyConstraintName: "idempotency_keys_pkey" })
  operation!: string;

  @PrimaryColumn({ type: "text", primaryKeyConstraintName: "idempotency_keys_pkey" })
  key!: string;

  /** Hex SHA-256 of the request. */
  @Column({ name: "body_sha256", type: "text" })
  bodySha256!: string;

  /** What the first call answered with, enough to answer again. */
  @Column({ type: "jsonb", nullable: true })
  outcome!: Record<string, unknown> | null;

  @Column({ name: "created_at", type: "timestamptz", default: () => "now()" })
  createdAt!: Date;
}
