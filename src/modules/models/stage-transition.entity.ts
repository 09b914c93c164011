import { Column, Entity, JoinColumn, ManyToOne, PrimaryColumn, Unique } from "typeorm";
import type { Relation } from "typeorm";
import type { Stage } from "./model-version.entity.js";
import { ModelVersionRow } from "./model-version.entity.js";

export type TransitionKind = "PROMOTION" | "ROLLBACK";

/** One stage change; a trigger keeps the table append-only. */
@Entity("stage_transitions")
@Unique("stage_transitions_sequence_key", ["modelId", "sequence"])
export class StageTransitionRow {
  @PrimaryColumn({ type: "uuid", primaryKeyConstraintName: "stage_transitions_pkey" })
  id!: string;

  @Column({ name: "model_id", type: "uuid" })
  modelId!: string;

  /** 1, 2, 3 ... without gaps within a model. */
  @Column({ type: "integer" })
  sequence!: number;

  @Column({ type: "text" })
  kind!: TransitionKind;

  @Column({ name: "version_id", type: "uuid" })
  versionId!: string;

  @Column({ name: "from_stage", type: "text" })
  from!: Stage;

  @Column({ name: "to_stage", type: "text" })
  to!: Stage;

  @Column({ name: "retired_id", type: "uuid", nullable: true })
  retiredId!: string | null;

  @Column({ type: "text" })
  actor!: string;

  @Column({ name: "approved_by", type: "text", nullable: true })
  approvedBy!: string | null;

  @Column({ type: "text", nullable: true })
  reason!: string | null;

  @Column({ type: "timestamptz" })
  at!: Date;

  @ManyToOne(() => ModelVersionRow)
  @JoinColumn({ name: "version_id", foreignKeyConstraintName: "stage_transitions_version_fkey" })
  version?: Relation<ModelVersionRow>;
}
