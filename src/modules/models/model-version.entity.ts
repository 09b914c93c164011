import { Column, Entity, Index, JoinColumn, ManyToOne, PrimaryColumn, Unique } from "typeorm";
import type { Relation } from "typeorm";
import type { ModelSignature } from "../../ports/inference-runtime.js";
import type { EmbedderOptions } from "../../shared/embedder-options.js";
import { ModelRow } from "./model.entity.js";

export type Stage = "NONE" | "STAGING" | "PRODUCTION" | "ARCHIVED";
export type VersionStatus = "PENDING" | "READY" | "REJECTED";

export interface ArtifactFileRecord {
  name: string;
  sha256: string;
  bytes: number;
}

@Entity("model_versions")
@Unique("model_versions_number_key", ["modelId", "number"])
@Index("model_versions_one_in_production", ["modelId"], { unique: true, where: "stage = 'PRODUCTION'" })
@Index("model_versions_one_in_staging", ["modelId"], { unique: true, where: "stage = 'STAGING'" })
export class ModelVersionRow {
  @PrimaryColumn({ type: "uuid", primaryKeyConstraintName: "model_versions_pkey" })
  id!: string;

  @Column({ name: "model_id", type: "uuid" })
  modelId!: string;

  @Column({ type: "integer" })
  number!: number;

  @Column({ type: "text", default: "NONE" })
  stage!: Stage;

  @Column({ type: "text", default: "PENDING" })
  status!: VersionStatus;

  @Column({ type: "text", nullable: true })
  rejection!: string | null;

  /** Digest of the ONNX file, hex SHA-256. */
  @Column({ type: "text" })
  sha256!: string;

  @Column({ type: "bigint", transformer: { from: Number, to: (value: number) => value } })
  bytes!: number;

  /** Files that lie beside the graph. */
  @Column({ type: "jsonb", default: () => "'[]'" })
  files!: ArtifactFileRecord[];

  /** Names of those whose bytes were sent for this very version. */
  @Column({ type: "text", array: true, default: () => "'{}'" })
  received!: string[];

  @Column({ type: "jsonb", nullable: true })
  signature!: ModelSignature | null;

  @Column({ type: "jsonb", default: () => "'[]'" })
  metrics!: { name: string; value: number }[];

  @Column({ type: "jsonb", default: () => "'[]'" })
  parameters!: { name: string; value: string }[];

  @Column({ name: "training_run_id", type: "uuid", nullable: true })
  trainingRunId!: string | null;

  @Column({ name: "curve_id", type: "uuid", nullable: true })
  curveId!: string | null;

  /** TEXT_EMBEDDER only: how the graph is used. */
  @Column({ type: "jsonb", nullable: true })
  embedder!: EmbedderOptions | null;

  /** The job that validates, or validated, the artifact. */
  @Column({ name: "validation_job_id", type: "uuid", nullable: true })
  validationJobId!: string | null;

  /** A cleanup leaves its artifact alone. */
  @Column({ type: "boolean", default: false })
  protected!: boolean;

  /** When a cleanup removed its artifact; what it was remains on record. */
  @Column({ name: "artifact_removed_at", type: "timestamptz", precision: 3, nullable: true })
  artifactRemovedAt!: Date | null;

  @Column({ name: "created_by", type: "text" })
  createdBy!: string;

  @Column({ name: "created_at", type: "timestamptz", default: () => "now()" })
  createdAt!: Date;

  @ManyToOne(() => ModelRow)
  @JoinColumn({ name: "model_id", foreignKeyConstraintName: "model_versions_model_fkey" })
  model?: Relation<ModelRow>;
}
