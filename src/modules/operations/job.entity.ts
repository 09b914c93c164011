import { Column, Entity, Index, JoinColumn, ManyToOne, PrimaryColumn } from "typeorm";
import type { Relation } from "typeorm";

export type JobState = "WAITING" | "ACTIVE" | "DELAYED" | "COMPLETED" | "FAILED" | "CANCELLED";

/** A job as the platform knows it; the queue only carries its id. */
@Entity("jobs")
@Index("jobs_by_age", ["createdAt", "id"])
@Index("jobs_by_parent", ["parentId", "createdAt", "id"], { where: "parent_id IS NOT NULL" })
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

  /** Deliveries since the last checkpoint; one that a shutdown ends does not count. */
  @Column({ type: "integer", default: 0 })
  attempts!: number;

  /** Deliveries in a row, since the last checkpoint, that ended with their worker. */
  @Column({ type: "integer", default: 0 })
  lost!: number;

  @Column({ name: "max_attempts", type: "integer" })
  maxAttempts!: number;

  /** Counts claims: results are accepted only from the latest claimant. */
  @Column({ type: "integer", default: 0 })
  fence!: number;

  @Column({ type: "text", nullable: true })
  error!: string | null;

  @Column({ type: "jsonb", nullable: true })
  result!: Record<string, unknown> | null;

  /** The job that waits for this one. */
  @Column({ name: "parent_id", type: "uuid", nullable: true })
  parentId!: string | null;

  /** Children that have yet to complete before the job is delivered. */
  @Column({ type: "integer", default: 0 })
  awaits!: number;

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

  @ManyToOne(() => JobRow, { onDelete: "CASCADE" })
  @JoinColumn({ name: "parent_id", foreignKeyConstraintName: "jobs_parent_fkey" })
  parent?: Relation<JobRow>;
}
