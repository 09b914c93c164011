import { Column, Entity, Index, PrimaryColumn } from "typeorm";

export type InferenceKind = "PREDICTION" | "FORECAST";

/** A prediction or forecast that was answered: who asked which version for what, and what it said. */
@Entity("inference_records")
@Index("inference_records_by_time", ["at"])
export class InferenceRecord {
  @PrimaryColumn({ type: "uuid", primaryKeyConstraintName: "inference_records_pkey" })
  id!: string;

  @Column({ type: "text" })
  kind!: InferenceKind;

  @Column({ name: "version_id", type: "uuid" })
  versionId!: string;

  @Column({ type: "text" })
  caller!: string;

  /** Partitions are by month. */
  @PrimaryColumn({ type: "timestamptz", primaryKeyConstraintName: "inference_records_pkey" })
  at!: Date;

  @Column({ name: "latency_ms", type: "double precision" })
  latencyMs!: number;

  /** Null when they were too big to keep. */
  @Column({ type: "json", nullable: true })
  inputs!: unknown;

  /** Null when they were too big to keep. */
  @Column({ type: "json", nullable: true })
  outputs!: unknown;
}
