import { Column, Entity, PrimaryColumn, Unique } from "typeorm";

export type ModelKind = "CURVE_FORECASTER" | "TENSOR" | "TEXT_EMBEDDER";

@Entity("models")
@Unique("models_name_key", ["name"])
export class ModelRow {
  @PrimaryColumn({ type: "uuid", primaryKeyConstraintName: "models_pkey" })
  id!: string;

  @Column({ type: "text" })
  name!: string;

  @Column({ type: "text" })
  kind!: ModelKind;

  @Column({ type: "text", nullable: true })
  description!: string | null;

  @Column({ type: "jsonb", default: () => "'[]'" })
  tags!: { name: string; value: string }[];

  /** Number of its newest version; 0 before the first. */
  @Column({ name: "last_number", type: "integer", default: 0 })
  lastNumber!: number;

  /** Sequence of its newest stage transition; 0 before the first. */
  @Column({ name: "last_transition", type: "integer", default: 0 })
  lastTransition!: number;

  /** What is in production changes by the word of two persons only. */
  @Column({ name: "four_eyes", type: "boolean", default: false })
  fourEyes!: boolean;

  @Column({ name: "created_by", type: "text" })
  createdBy!: string;

  @Column({ name: "created_at", type: "timestamptz", default: () => "now()" })
  createdAt!: Date;
}
