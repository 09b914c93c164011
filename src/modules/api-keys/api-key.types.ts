import { Field, ID, InputType, Int, ObjectType } from "type-graphql";
import { toNodeId } from "../../shared/node-id.js";
import { DateTimeScalar, Node, connectionType } from "../graph/index.js";
import { RoleEnum } from "../identity/index.js";
import type { GrantStage, Role } from "../identity/index.js";
import { StageEnum } from "../models/index.js";
import type { ApiKeyRow } from "./api-key.entity.js";
import { prefixOf } from "./api-key-format.rules.js";

@ObjectType("Grant", {
  description:
    "Narrows what roles allow: a permission that any grant names is allowed only where one of its grants fits.",
})
export class GrantType {
  @Field()
  permission!: string;

  @Field(() => String, { nullable: true, description: "* stands for any characters; null: every model." })
  modelPattern?: string | null;

  @Field(() => StageEnum, { nullable: true, description: "null: every stage." })
  stage?: GrantStage | null;
}

@ObjectType("ApiKey", {
  implements: Node,
  description: "What a program calls with. Its secret is told once, when it is made, and not kept.",
})
export class ApiKeyType extends Node {
  @Field()
  name!: string;

  @Field({ description: "How the key begins: it tells keys apart, and opens nothing." })
  prefix!: string;

  @Field(() => [RoleEnum])
  roles!: Role[];

  @Field(() => [GrantType])
  grants!: GrantType[];

  @Field({ description: "Who was told the secret." })
  createdBy!: string;

  @Field(() => DateTimeScalar)
  createdAt!: Date;

  @Field(() => DateTimeScalar)
  expiresAt!: Date;

  @Field(() => DateTimeScalar, { nullable: true, description: "To the minute." })
  lastUsedAt!: Date | null;

  @Field(() => DateTimeScalar, { nullable: true })
  revokedAt!: Date | null;

  static from(row: ApiKeyRow): ApiKeyType {
    const { name, roles, grants, createdBy, createdAt, expiresAt, lastUsedAt, revokedAt } = row;
    return Object.assign(new ApiKeyType(), {
      ...{ id: toNodeId("ApiKey", row.id), name, prefix: prefixOf(row.id), roles, grants },
      ...{ createdBy, createdAt, expiresAt, lastUsedAt, revokedAt },
    });
  }
}

export const ApiKeyConnection = connectionType("ApiKey", ApiKeyType);

@InputType({
  description:
    "Narrows a role: this permission only on models like the pattern (power-*) and for this stage.",
})
export class GrantInput {
  @Field({ description: "One that concerns a model, e.g. model:promote." })
  permission!: string;

  @Field(() => String, { nullable: true })
  modelPattern?: string | null;

  @Field(() => StageEnum, { nullable: true, description: "With model:promote and model:predict only." })
  stage?: GrantStage | null;
}

@InputType()
export class CreateApiKeyInput {
  @Field()
  name!: string;

  @Field(() => [RoleEnum])
  roles!: Role[];

  @Field(() => [GrantInput], { nullable: true })
  grants?: GrantInput[] | null;

  @Field(() => Int, { nullable: true, defaultValue: 90, description: "1 to 90." })
  expiresInDays?: number | null;
}

@InputType()
export class RotateApiKeyInput {
  @Field(() => ID)
  id!: string;

  @Field(() => Int, { nullable: true, defaultValue: 7, description: "0 to 30. Both keys work meanwhile." })
  overlapDays?: number | null;
}

@InputType()
export class RevokeApiKeyInput {
  @Field(() => ID)
  id!: string;
}

@ObjectType()
export class CreateApiKeyPayload {
  @Field(() => ApiKeyType)
  key!: ApiKeyType;

  @Field({ description: "The whole key: here once, and nowhere else." })
  secret!: string;
}

@ObjectType()
export class ApiKeyPayload {
  @Field(() => ApiKeyType)
  key!: ApiKeyType;
}
