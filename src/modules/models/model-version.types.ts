import { Field, InputType, Int, ObjectType } from "type-graphql";
import { JobType } from "../operations/index.js";
import { ModelVersionType, StageEnum } from "./model.types.js";
import type { Stage } from "./model-version.entity.js";

@ObjectType({
  description:
    "PENDING while the job still validates; a wrong digest is INVALID_INPUT and leaves it PENDING; a bad graph is " +
    "REJECTED, no error.",
})
export class ModelVersionPayload {
  @Field(() => ModelVersionType)
  version!: ModelVersionType;

  @Field(() => JobType, { nullable: true })
  job!: JobType | null;
}

@InputType()
export class ProtectModelVersionInput {
  @Field()
  model!: string;

  @Field(() => Int)
  number!: number;

  @Field(() => Boolean, { nullable: true, defaultValue: true })
  protected?: boolean | null;
}

@InputType({ description: "Which version of a model answers." })
export class VersionSelector {
  @Field(() => Int, { nullable: true, description: "A number wins over a stage." })
  number?: number | null;

  @Field(() => StageEnum, { nullable: true, defaultValue: "PRODUCTION" })
  stage?: Stage | null;
}
