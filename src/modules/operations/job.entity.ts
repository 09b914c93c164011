import { Column, Entity, Index, PrimaryColumn } from "typeorm";

export type JobState = "WAITING" | "ACTIVE" | "DELAYED" | "COMPLETED" | "FAILED" | "CANCELLED";

/** A job as the platform knows it; the queue only carries its id. */
@Entity("jobs")
@Index("jobs_by_age", ["createdAt", "id"])
@Index("jobs_unfinished", ["state"], { where: "state IN ('WAITING', 'ACTIVE', 'DELAYED')" })
export class JobRow {
  @PrimaryColumn({ type: "uuid", primaryKeyConstraintName: "jobs_pkey" })
  id!: string;

  @Column({ type: "text" })
  kind!: string;

  @Column({ type: "text" })
  queue!: string;

  @Column({ type: "text" })
  state!: JobState;

  /** Ids that the handler needs. */
  @Column({ type: "jsonb" })
  payload!: Record<string, unknown>;

  /** 0 to 1. */
  @Column({ type: "double precision", default: 0 })
  progress!: number;

  @Column({ type: "integer", default: 0 })
  attempts!: number;

  @Column({ name: "max_attempts", type: "integer" })
  maxAttempts!: number;

  /** Counts claims: results are accepted only from the latest claimant. */
  @Column({ type: "integer", default: 0 })
  fence!: number;

  @Column({ type: "text", nullable: true })
  error!: string | null;

  @Column({ type: "jsonb", nullable: true })
  result!: Record<string, unknown> | null;

  @Column({ name: "trace_context", type: "jsonb", default: () => "'{}'" })
  traceContext!: Record<string, string>;

  @Column({ name: "created_by", type: "text" })
  createdBy!: string;

  @Column({ name: "created_at", type: "timestamptz", precision: 3, default: () => "now()" })
  createdAt!: Date;

  @Column({ name: "started_at", type: "timestamptz", nullable: true })
  startedAt!: Date | null;

  @Column({ name: "finished_at", type: "timestamptz", nullable: true })
  finishedAt!: Date | null;

  /** When its worker last gave a sign of life, or it was last handed to the queue. */
  @Column({ name: "touched_at", type: "timestamptz", default: () => "now()" })
  touchedAt!: Date;
}
