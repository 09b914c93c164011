import { Column, Entity, PrimaryColumn, Unique } from "typeorm";

export type CurveKind = "YIELD" | "FORWARD";

@Entity("curves")
@Unique("curves_name_key", ["name"])
export class CurveRow {
  @PrimaryColumn({ type: "uuid", primaryKeyConstraintName: "curves_pkey" })
  id!: string;

  @Column({ type: "text" })
  name!: string;

  @Column({ type: "text" })
  kind!: CurveKind;

  /** What a value means: percent, USD/MMBtu, ... */
  @Column({ type: "text" })
  unit!: string;

  /** In the order of their maturities. */
  @Column({ type: "text", array: true })
  tenors!: string[];

  @Column({ name: "created_by", type: "text" })
  createdBy!: string;

  @Column({ name: "created_at", type: "timestamptz", default: () => "now()" })
  createdAt!: Date;
}
