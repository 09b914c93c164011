import { Field, Int, ObjectType, registerEnumType } from "type-graphql";
import { toNodeId } from "../../shared/node-id.js";
import { BigIntScalar, DateTimeScalar, Node, connectionType } from "../graph/index.js";
import type { BackupRow } from "./backup.entity.js";

const BackupKindEnum = { PG_DUMP: "pg_dump", PGLITE: "pglite" } as const;
registerEnumType(BackupKindEnum, {
  name: "BackupKind",
  description:
    "PG_DUMP: of a PostgreSQL server, in pg_dump's custom format. PGLITE: of the embedded database.",
});

@ObjectType("Backup", {
  implements: Node,
  description: "A dump of the database in the object store: verified, and complete with its manifest.",
})
export class BackupType extends Node {
  @Field(() => DateTimeScalar, { description: "It holds everything that was acknowledged before." })
  takenAt!: Date;

  @Field(() => BackupKindEnum)
  kind!: BackupRow["kind"];

  @Field({ description: "Of the PostgreSQL that was dumped." })
  serverVersion!: string;

  @Field({ description: "Of the dump." })
  sha256!: string;

  @Field(() => BigIntScalar, { description: "Of the dump." })
  bytes!: number;

  @Field(() => BigIntScalar, { description: "Rows of all tables." })
  rows!: number;

  @Field(() => Int, { description: "Files of model versions that its rows refer to." })
  artifacts!: number;

  @Field(() => BigIntScalar)
  artifactBytes!: number;

  @Field(() => DateTimeScalar, {
    nullable: true,
    description: "When the mirror had all of it; null where none is configured.",
  })
  mirroredAt!: Date | null;

  static from(row: BackupRow): BackupType {
    const { takenAt, kind, serverVersion, sha256, bytes, artifactBytes, mirroredAt } = row;
    return Object.assign(new BackupType(), {
      ...{
        id: toNodeId("Backup", row.id),
        takenAt,
        kind,
        serverVersion,
        sha256,
        bytes,
        artifactBytes,
        mirroredAt,
      },
      rows: row.rowCount,
      artifacts: row.artifactCount,
    });
  }
}

export const BackupConnection = connectionType("Backup", BackupType);
