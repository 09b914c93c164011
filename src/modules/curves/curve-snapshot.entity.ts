import { Column, Entity, Index, ManyToOne, JoinColumn, PrimaryColumn } from "typeorm";
import type { Relation } from "typeorm";
import { CurveRow } from "./curve.entity.js";

/** A curve on one date as it was recorded once; a correction is a further revision. */
@Entity("curve_snapshots")
@Index("curve_snapshots_by_time", ["curveId", "recordedAt"])
export class CurveSnapshotRow {
  @PrimaryColumn({ name: "curve_id", type: "uuid", primaryKeyConstraintName: "curve_snapshots_pkey" })
  curveId!: string;

  @PrimaryColumn({ type: "date", primaryKeyConstraintName: "curve_snapshots_pkey" })
  date!: string;

  /** 1 for the first record of the date. */
  @PrimaryColumn({ type: "integer", primaryKeyConstraintName: "curve_snapshots_pkey" })
  revision!: number;

  /** One for each tenor of the curve, null where nothing was quoted. */
  @Column({ type: "double precision", array: true })
  values!: (number | null)[];

  @Column({ name: "recorded_at", type: "timestamptz" })
  recordedAt!: Date;

  @ManyToOne(() => CurveRow)
  @JoinColumn({ name: "curve_id", foreignKeyConstraintName: "curve_snapshots_curve_fkey" })
  curve?: Relation<CurveRow>;
}
