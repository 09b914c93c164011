import { Authorized, Ctx, Field, ObjectType, Query, Resolver, registerEnumType } from "type-graphql";
import { RequestContext } from "./request-context.js";
import { ROLES } from "./roles.rules.js";
import type { Role } from "./roles.rules.js";

export const RoleEnum = Object.fromEntries(ROLES.map((role) => [role, role])) as { [R in Role]: R };
registerEnumType(RoleEnum, { name: "Role" });

@ObjectType("Caller")
export class CallerType {
  @Field()
  subject!: string;

  @Field(() => String, { nullable: true, description: "Of the API key that it came with." })
  name?: string;

  @Field(() => [RoleEnum])
  roles!: readonly Role[];
}

@Resolver()
export class IdentityResolver {
  @Authorized()
  @Query(() => CallerType, { description: "Who the platform thinks you are." })
  me(@Ctx() { caller }: RequestContext): CallerType {
    return caller;
  }
}
