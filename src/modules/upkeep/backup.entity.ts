import { Column, Entity, Index, PrimaryColumn } from "typeorm";
import type { DumpKind } from "../../ports/database-dumper.js";

const asNumber = { from: Number, to: (value: number) => value };

/** A backup that has been verified. Its manifest in the object store is the truth; this row makes it queryable. */
@Entity("backups")
@Index("backups_by_time", ["takenAt", "id"])
export class BackupRow {
  @PrimaryColumn({ type: "uuid", primaryKeyConstraintName: "backups_pkey" })
  id!: string;

  /** Null where only its manifest was found, as after a restore. */
  @Column({ name: "job_id", type: "uuid", nullable: true })
  jobId!: string | null;

  @Column({ name: "taken_at", type: "timestamptz", precision: 3 })
  takenAt!: Date;

  @Column({ type: "text" })
  kind!: DumpKind;

  @Column({ name: "server_version", type: "text" })
  serverVersion!: string;

  /** Of the dump, hex SHA-256; also its key in the object store. */
  @Column({ type: "text" })
  sha256!: string;

  @Column({ type: "bigint", transformer: asNumber })
  bytes!: number;

  @Column({ name: "row_count", type: "bigint", transformer: asNumber })
  rowCount!: number;

  @Column({ name: "artifact_count", type: "integer" })
  artifactCount!: number;

  @Column({ name: "artifact_bytes", type: "bigint", transformer: asNumber })
  artifactBytes!: number;

  /** When dump, manifest and artifacts were all in the mirror, too. */
  @Column({ name: "mirrored_at", type: "timestamptz", precision: 3, nullable: true })
  mirroredAt!: Date | null;
}
