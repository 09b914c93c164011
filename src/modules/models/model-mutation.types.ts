import { Field, InputType, Int, ObjectType } from "type-graphql";
import {
  BigIntScalar,
  DateTimeScalar,
  MetricInput,
  Parameter,
  ParameterInput,
  TagInput,
} from "../graph/index.js";
import { EmbedderInput } from "./embedder.types.js";
import type { ModelKind } from "./model.entity.js";
import { ModelKindEnum, ModelType, ModelVersionType, StageEnum, StageTransitionType } from "./model.types.js";
import type { Stage } from "./model-version.entity.js";

@InputType()
export class RegisterModelInput {
  @Field()
  name!: string;

  @Field(() => ModelKindEnum)
  kind!: ModelKind;

  @Field(() => String, { nullable: true })
  description?: string | null;

  @Field(() => [TagInput], { nullable: true })
  tags?: TagInput[] | null;
}

@ObjectType()
export class RegisterModelPayload {
  @Field(() => ModelType)
  model!: ModelType;
}

@InputType()
export class FileInput {
  @Field()
  name!: string;

  @Field()
  sha256!: string;

  @Field(() => BigIntScalar)
  bytes!: number;
}

@InputType()
export class CreateModelVersionInput {
  @Field()
  model!: string;

  @Field()
  sha256!: string;

  @Field(() => BigIntScalar)
  bytes!: number;

  @Field(() => [MetricInput], { nullable: true })
  metrics?: MetricInput[] | null;

  @Field(() => [ParameterInput], { nullable: true })
  parameters?: ParameterInput[] | null;

  @Field(() => [FileInput], {
    nullable: true,
    description: "Files beside the graph, by the names it expects: tokenizer.json, external tensor data.",
  })
  files?: FileInput[] | null;

  @Field(() => EmbedderInput, {
    nullable: true,
    description: "TEXT_EMBEDDER only; without it, the pooling is what the graph's outputs ask for.",
  })
  embedder?: EmbedderInput | null;

  @Field(() => String, { nullable: true })
  idempotencyKey?: string | null;
}

@ObjectType()
export class Upload {
  @Field()
  method!: string;

  @Field()
  url!: string;

  @Field(() => [Parameter])
  headers!: Parameter[];

  @Field(() => DateTimeScalar)
  expiresAt!: Date;
}

@ObjectType({ description: "upload takes the ONNX file; fileUploads one each for `files`, in their order." })
export class CreateModelVersionPayload {
  @Field(() => ModelVersionType)
  version!: ModelVersionType;

  @Field(() => Upload)
  upload!: Upload;

  @Field(() => [Upload])
  fileUploads!: Upload[];
}

@InputType()
export class CompleteModelVersionInput {
  @Field()
  model!: string;

  @Field(() => Int)
  number!: number;
}

@InputType()
export class PromoteModelVersionInput {
  @Field()
  model!: string;

  @Field(() => Int)
  number!: number;

  @Field(() => StageEnum, { defaultValue: "PRODUCTION" })
  stage!: Stage;

  @Field(() => String, { nullable: true })
  reason?: string | null;

  @Field(() => Int, {
    nullable: true,
    description:
      "The number you believe is there now (0: none); another one there is CONFLICT, and nothing changes.",
  })
  expectedCurrent?: number | null;

  @Field(() => String, { nullable: true })
  idempotencyKey?: string | null;
}

@InputType()
export class RollbackModelInput {
  @Field()
  model!: string;

  @Field(() => String, { nullable: true })
  reason?: string | null;

  @Field(() => Int, { nullable: true })
  expectedCurrent?: number | null;

  @Field(() => String, { nullable: true })
  idempotencyKey?: string | null;
}

@ObjectType({ description: "pending: it waits for a second pair of eyes, and nothing has changed yet." })
export class StageTransitionPayload {
  @Field(() => StageTransitionType)
  transition!: StageTransitionType;

  @Field()
  pending!: boolean;
}

@ObjectType()
export class PromotionEvent {
  @Field()
  cursor!: string;

  @Field(() => DateTimeScalar)
  at!: Date;

  @Field(() => StageTransitionType)
  transition!: StageTransitionType;
}
