import { Column, Entity, Index, PrimaryColumn } from "typeorm";
import type { Stage } from "./model-version.entity.js";

/** PENDING until a second person approves it (MADE), somebody takes it back, or a newer one takes its place. */
export type TransitionStatus = "PENDING" | "MADE" | "WITHDRAWN" | "SUPERSEDED";

/** A stage change that waits for a second person, or has waited; once made it is a stage transition of the same id. */
@Entity("promotion_requests")
@Index("promotion_requests_one_pending", ["modelId"], { unique: true, where: "status = 'PENDING'" })
export class PromotionRequestRow {
  @PrimaryColumn({ type: "uuid", primaryKeyConstraintName: "promotion_requests_pkey" })
  id!: string;

  @Column({ name: "model_id", type: "uuid" })
  modelId!: string;

  @Column({ name: "version_id", type: "uuid" })
  versionId!: string;

  @Column({ name: "from_stage", type: "text" })
  from!: Stage;

  @Column({ name: "to_stage", type: "text" })
  to!: Stage;

  @Column({ name: "expected_current", type: "integer", nullable: true })
  expectedCurrent!: number | null;

  @Column({ type: "text", nullable: true })
  reason!: string | null;

  @Column({ name: "requested_by", type: "text" })
  requestedBy!: string;

  /** The person behind the subject. */
  @Column({ type: "text" })
  requester!: string;

  @Column({ name: "requested_at", type: "timestamptz", precision: 3 })
  requestedAt!: Date;

  @Column({ type: "text", default: "PENDING" })
  status!: TransitionStatus;

  @Column({ name: "closed_by", type: "text", nullable: true })
  closedBy!: string | null;

  @Column({ name: "closed_at", type: "timestamptz", precision: 3, nullable: true })
  closedAt!: Date | null;
}
