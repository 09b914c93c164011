import { Column, Entity, PrimaryColumn } from "typeorm";

/** A part of a run's backtest that has been computed; it goes when the run has succeeded. */
@Entity("training_segments")
export class TrainingSegmentRow {
  @PrimaryColumn({ name: "run_id", type: "uuid", primaryKeyConstraintName: "training_segments_pkey" })
  runId!: string;

  @PrimaryColumn({ type: "integer", primaryKeyConstraintName: "training_segments_pkey" })
  segment!: number;

  /** Of the curve's history that it was computed from. */
  @Column({ name: "data_sha256", type: "text" })
  dataSha256!: string;

  /** First and last origin, as indices of the history's dates. */
  @Column({ name: "from_origin", type: "integer" })
  from!: number;

  @Column({ name: "to_origin", type: "integer" })
  to!: number;

  /** float64, little-endian, row-major [origins, components, horizons, tenors]. */
  @Column({ type: "bytea" })
  forecasts!: Buffer;
}
