import { Field, Float, InputType, Int, ObjectType, registerEnumType } from "type-graphql";
import { toNodeId } from "../../shared/node-id.js";
import { DateScalar, DateTimeScalar, Node, connectionType } from "../graph/index.js";
import type { CurveKind, CurveRow } from "./curve.entity.js";

const CurveKindEnum = { YIELD: "YIELD", FORWARD: "FORWARD" } as const;
registerEnumType(CurveKindEnum, { name: "CurveKind" });

@ObjectType("Curve", { implements: Node })
export class CurveType extends Node {
  readonly row: CurveRow;

  @Field()
  name: string;

  @Field(() => CurveKindEnum)
  kind: CurveKind;

  @Field()
  unit: string;

  @Field(() => [String])
  tenors: string[];

  constructor(row: CurveRow) {
    super();
    this.row = row;
    this.id = toNodeId("Curve", row.id);
    this.name = row.name;
    this.kind = row.kind;
    this.unit = row.unit;
    this.tenors = row.tenors;
  }
}

@ObjectType({ description: "value: null where the market quoted nothing." })
export class CurvePoint {
  @Field()
  tenor!: string;

  @Field(() => Float, { nullable: true })
  value!: number | null;
}

@ObjectType({ description: "Revisions are appended, never overwritten." })
export class CurveSnapshot {
  @Field(() => DateScalar)
  date!: string;

  @Field(() => DateTimeScalar)
  recordedAt!: Date;

  @Field(() => [CurvePoint])
  points!: CurvePoint[];
}

export const CurveConnection = connectionType("Curve", CurveType);
export const CurveSnapshotConnection = connectionType("CurveSnapshot", CurveSnapshot);

@InputType()
export class DefineCurveInput {
  @Field()
  name!: string;

  @Field(() => CurveKindEnum)
  kind!: CurveKind;

  @Field()
  unit!: string;

  @Field(() => [String], {
    description: "By maturity: ISO 8601 durations (P1M, P2Y) or contract positions (M1, M2).",
  })
  tenors!: string[];
}

@InputType()
export class CurvePointInput {
  @Field()
  tenor!: string;

  @Field(() => Float, { nullable: true })
  value?: number | null;
}

@InputType()
export class CurveSnapshotInput {
  @Field(() => DateScalar)
  date!: string;

  @Field(() => [CurvePointInput])
  points!: CurvePointInput[];
}

@InputType({
  description:
    "All or nothing: one bad snapshot rejects the batch and names it. A date that exists gets a revision.",
})
export class RecordCurveInput {
  @Field()
  curve!: string;

  @Field(() => [CurveSnapshotInput])
  snapshots!: CurveSnapshotInput[];

  @Field(() => String, { nullable: true })
  idempotencyKey?: string | null;
}

@ObjectType()
export class CurvePayload {
  @Field(() => CurveType)
  curve!: CurveType;
}

@ObjectType()
export class RecordCurvePayload extends CurvePayload {
  @Field(() => Int)
  created!: number;

  @Field(() => Int)
  replaced!: number;

  @Field(() => Int)
  unchanged!: number;
}
