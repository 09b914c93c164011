import { Field, Int, ObjectType, registerEnumType } from "type-graphql";
import type { TensorType } from "../../ports/inference-runtime.js";
import { toNodeId } from "../../shared/node-id.js";
import {
  BigIntScalar,
  DateTimeScalar,
  Metric,
  Node,
  Parameter,
  Tag,
  connectionType,
} from "../graph/index.js";
import { Embedder } from "./embedder.types.js";
import type { ModelKind, ModelRow } from "./model.entity.js";
import type { ModelVersionRow, Stage, VersionStatus } from "./model-version.entity.js";
import type { TransitionStatus } from "./promotion-request.entity.js";
import type { TransitionKind } from "./stage-transition.entity.js";
import type { TransitionRecord } from "./transition-record.js";

const enumOf = <const T extends readonly string[]>(...names: T) =>
  Object.fromEntries(names.map((name) => [name, name])) as { [N in T[number]]: N };

export const ModelKindEnum = enumOf("CURVE_FORECASTER", "TENSOR", "TEXT_EMBEDDER");
export const StageEnum = enumOf("NONE", "STAGING", "PRODUCTION", "ARCHIVED");
export const VersionStatusEnum = enumOf("PENDING", "READY", "REJECTED");
export const TransitionKindEnum = enumOf("PROMOTION", "ROLLBACK");
export const TransitionStatusEnum = enumOf("PENDING", "MADE", "WITHDRAWN", "SUPERSEDED");
// prettier-ignore
export const TensorTypeEnum = enumOf(
  "FLOAT32", "FLOAT64", "FLOAT16", "INT8", "INT16", "INT32", "INT64",
  "UINT8", "UINT16", "UINT32", "UINT64", "BOOL", "STRING",
);
registerEnumType(ModelKindEnum, { name: "ModelKind" });
registerEnumType(StageEnum, { name: "Stage" });
registerEnumType(VersionStatusEnum, { name: "VersionStatus" });
registerEnumType(TransitionStatusEnum, { name: "TransitionStatus" });
registerEnumType(TransitionKindEnum, { name: "TransitionKind" });
registerEnumType(TensorTypeEnum, { name: "TensorType" });

@ObjectType("Model", { implements: Node })
export class ModelType extends Node {
  readonly row: ModelRow;

  @Field({ description: "Unique: lower-case letters, digits, _ and -, at most 64." })
  name: string;

  @Field(() => ModelKindEnum)
  kind: ModelKind;

  @Field(() => String, { nullable: true })
  description: string | null;

  @Field(() => [Tag])
  tags: Tag[];

  @Field({ description: "What is in production changes by the word of two persons only." })
  fourEyes: boolean;

  @Field(() => DateTimeScalar)
  createdAt: Date;

  constructor(row: ModelRow) {
    super();
    this.row = row;
    this.id = toNodeId("Model", row.id);
    this.name = row.name;
    this.kind = row.kind;
    this.description = row.description;
    this.tags = row.tags;
    this.fourEyes = row.fourEyes;
    this.createdAt = row.createdAt;
  }
}

@ObjectType({ description: "shape: null stands for a dynamic dimension." })
export class TensorSpec {
  @Field()
  name!: string;

  @Field(() => TensorTypeEnum)
  type!: TensorType;

  @Field(() => [Int], { nullable: "items" })
  shape!: (number | null)[];
}

@ObjectType()
export class Signature {
  @Field(() => [TensorSpec])
  inputs!: TensorSpec[];

  @Field(() => [TensorSpec])
  outputs!: TensorSpec[];
}

@ObjectType()
export class ArtifactFile {
  @Field()
  name!: string;

  @Field()
  sha256!: string;

  @Field(() => BigIntScalar)
  bytes!: number;

  @Field(() => String, { description: "Carries its own permission, for an hour. Takes Range." })
  readonly downloadUrl!: Promise<string>;
}

@ObjectType()
export class Artifact {
  @Field()
  sha256!: string;

  @Field(() => BigIntScalar)
  bytes!: number;

  @Field(() => String, { description: "Carries its own permission, for an hour. Takes Range." })
  readonly downloadUrl!: Promise<string>;

  @Field(() => [ArtifactFile])
  files!: ArtifactFile[];
}

@ObjectType("ModelVersion", { implements: Node })
export class ModelVersionType extends Node {
  readonly row: ModelVersionRow;

  @Field(() => Int)
  number: number;

  @Field(() => StageEnum)
  stage: Stage;

  @Field(() => VersionStatusEnum)
  status: VersionStatus;

  @Field(() => String, { nullable: true, description: "Why validation rejected the artifact." })
  rejection: string | null;

  @Field(() => Signature, {
    nullable: true,
    description: "Read from the ONNX graph itself, never typed in by hand.",
  })
  signature: Signature | null;

  @Field(() => Embedder, { nullable: true, description: "TEXT_EMBEDDER that is READY: how it is used." })
  embedder: Embedder | null;

  @Field(() => [Metric])
  metrics: Metric[];

  @Field(() => [Parameter])
  parameters: Parameter[];

  @Field(() => DateTimeScalar)
  createdAt: Date;

  @Field()
  createdBy: string;

  @Field({ description: "A cleanup leaves its artifact alone." })
  protected: boolean;

  @Field(() => DateTimeScalar, {
    nullable: true,
    description: "When a cleanup removed its artifact: it can neither be served nor promoted any more.",
  })
  artifactRemovedAt: Date | null;

  constructor(row: ModelVersionRow) {
    super();
    this.row = row;
    this.id = toNodeId("ModelVersion", row.id);
    this.number = row.number;
    this.stage = row.stage;
    this.status = row.status;
    this.rejection = row.rejection;
    this.signature = row.signature;
    this.embedder = row.status === "READY" ? row.embedder : null;
    this.metrics = row.metrics;
    this.parameters = row.parameters;
    this.createdAt = row.createdAt;
    this.createdBy = row.createdBy;
    this.protected = row.protected;
    this.artifactRemovedAt = row.artifactRemovedAt;
  }
}

@ObjectType("StageTransition", {
  implements: Node,
  description:
    "PRODUCTION and STAGING hold one version of a model each; the incumbent goes to ARCHIVED. One operation " +
    "appends one transition; promoting a version to where it already is returns its last one.",
})
export class StageTransitionType extends Node {
  readonly row: TransitionRecord;

  @Field(() => TransitionKindEnum)
  kind: TransitionKind;

  @Field(() => StageEnum)
  from: Stage;

  @Field(() => StageEnum)
  to: Stage;

  @Field(() => TransitionStatusEnum, {
    description: "MADE, unless it waits for a second person or has waited in vain.",
  })
  status: TransitionStatus;

  @Field({ description: "Who made it, or asked for it." })
  actor: string;

  @Field(() => String, {
    nullable: true,
    description: "Who approved it, where the model asks for four eyes.",
  })
  approvedBy: string | null;

  @Field(() => String, { nullable: true })
  reason: string | null;

  @Field(() => DateTimeScalar)
  at: Date;

  constructor(row: TransitionRecord) {
    super();
    this.row = row;
    this.id = toNodeId("StageTransition", row.id);
    this.kind = row.kind;
    this.from = row.from;
    this.to = row.to;
    this.actor = row.actor;
    this.approvedBy = row.approvedBy;
    this.reason = row.reason;
    this.at = row.at;
    this.status = row.status ?? "MADE";
  }
}

export const ModelConnection = connectionType("Model", ModelType);
export const ModelVersionConnection = connectionType("ModelVersion", ModelVersionType);
export const StageTransitionConnection = connectionType("StageTransition", StageTransitionType);
