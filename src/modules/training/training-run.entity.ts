import { Column, Entity, Index, JoinColumn, ManyToOne, PrimaryColumn } from "typeorm";
import type { Relation } from "typeorm";
import { CurveRow } from "../curves/index.js";
import { ModelRow } from "../models/index.js";
import type { Backtest } from "./forecasting/forecaster.types.js";

export type RunStatus = "QUEUED" | "RUNNING" | "SUCCEEDED" | "FAILED" | "CANCELLED";

/** One attempt to learn a model version. */
@Entity("training_runs")
@Index("training_runs_by_age", ["createdAt", "id"])
@Index("training_runs_by_job", ["jobId"])
export class TrainingRunRow {
  @PrimaryColumn({ type: "uuid", primaryKeyConstraintName: "training_runs_pkey" })
  id!: string;

  @Column({ name: "model_id", type: "uuid" })
  modelId!: string;

  @Column({ name: "curve_id", type: "uuid", nullable: true })
  curveId!: string | null;

  /** What it learns from is either a curve or a collection's text. */
  @Column({ name: "collection_id", type: "integer", nullable: true })
  collectionId!: number | null;

  @Column({ name: "job_id", type: "uuid" })
  jobId!: string;

  @Column({ type: "text", default: "QUEUED" })
  status!: RunStatus;

  /** What the job needs to know; its shape is the kind of training's own. */
  @Column({ type: "jsonb" })
  spec!: object;

  @Column({ name: "data_sha256", type: "text", nullable: true })
  dataSha256!: string | null;

  /** 0 to 1. */
  @Column({ type: "double precision", default: 0 })
  progress!: number;

  @Column({ type: "jsonb", default: () => "'[]'" })
  parameters!: { name: string; value: string }[];

  @Column({ type: "jsonb", default: () => "'[]'" })
  metrics!: { name: string; value: number }[];

  @Column({ type: "jsonb", nullable: true })
  backtest!: Backtest | null;

  @Column({ name: "version_id", type: "uuid", nullable: true })
  versionId!: string | null;

  @Column({ type: "text", nullable: true })
  error!: string | null;

  @Column({ name: "created_by", type: "text" })
  createdBy!: string;

  /** Also the instant as of which it knows the curve, so that a resumed run sees the same numbers. */
  @Column({ name: "created_at", type: "timestamptz", precision: 3, default: () => "now()" })
  createdAt!: Date;

  @Column({ name: "started_at", type: "timestamptz", nullable: true })
  startedAt!: Date | null;

  @Column({ name: "finished_at", type: "timestamptz", nullable: true })
  finishedAt!: Date | null;

  @ManyToOne(() => ModelRow)
  @JoinColumn({ name: "model_id", foreignKeyConstraintName: "training_runs_model_fkey" })
  model?: Relation<ModelRow>;

  @ManyToOne(() => CurveRow)
  @JoinColumn({ name: "curve_id", foreignKeyConstraintName: "training_runs_curve_fkey" })
  curve?: Relation<CurveRow>;
}
