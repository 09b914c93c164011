import { Arg, Args, Authorized, Ctx, FieldResolver, Mutation, Query, Resolver } from "type-graphql";
import { requireNodeOfType } from "../../shared/node-id.js";
import { toPageRequest } from "../../shared/pagination.js";
import { PageArgs, toConnection } from "../graph/index.js";
import type { Connection } from "../graph/index.js";
import { CallerType, RequestContext } from "../identity/index.js";
import type { NewApiKey } from "./api-key.service.js";
import { ApiKeyService } from "./api-key.service.js";
import {
  ApiKeyConnection,
  ApiKeyPayload,
  ApiKeyType,
  CreateApiKeyInput,
  CreateApiKeyPayload,
  GrantType,
  RevokeApiKeyInput,
  RotateApiKeyInput,
} from "./api-key.types.js";

@Resolver()
export class ApiKeyResolver {
  constructor(private readonly keys: ApiKeyService) {}

  @Authorized("key:manage")
  @Query(() => ApiKeyConnection, { description: "Newest first." })
  async apiKeys(@Args() args: PageArgs): Promise<Connection<ApiKeyType>> {
    const page = toPageRequest(args, ["instant", "uuid"]);
    return toConnection(await this.keys.list(page), ApiKeyType.from);
  }

  @Authorized("key:manage")
  @Mutation(() => CreateApiKeyPayload, {
    nullable: true,
    description: "The secret is in the answer once and nowhere else.",
  })
  async createApiKey(
    @Arg("input") input: CreateApiKeyInput,
    @Ctx() { caller }: RequestContext,
  ): Promise<CreateApiKeyPayload> {
    const { name, roles, expiresInDays } = input;
    const grants = input.grants?.map(({ permission, modelPattern, stage }) => ({
      permission,
      modelPattern,
      stage,
    }));
    return toPayload(await this.keys.create({ name, roles, grants, expiresInDays }, caller));
  }

  @Authorized("key:manage")
  @Mutation(() => CreateApiKeyPayload, {
    nullable: true,
    description:
      "Another key with the same name, roles, grants and lifetime; the old one ends after the overlap.",
  })
  async rotateApiKey(
    @Arg("input") { id, overlapDays }: RotateApiKeyInput,
    @Ctx() { caller }: RequestContext,
  ): Promise<CreateApiKeyPayload> {
    const request = { id: requireNodeOfType(id, "ApiKey", "input.id"), overlapDays };
    return toPayload(await this.keys.rotate(request, caller));
  }

  @Authorized("key:manage")
  @Mutation(() => ApiKeyPayload, {
    nullable: true,
    description: "Ends the key for good; again changes nothing.",
  })
  async revokeApiKey(@Arg("input") { id }: RevokeApiKeyInput): Promise<ApiKeyPayload> {
    return { key: ApiKeyType.from(await this.keys.revoke(requireNodeOfType(id, "ApiKey", "input.id"))) };
  }
}

/** What narrows the credentials that a caller came with. */
@Resolver(() => CallerType)
export class CallerGrantsResolver {
  @FieldResolver(() => [GrantType], { description: "They narrow what the roles allow; empty: nothing does." })
  grants(@Ctx() { caller }: RequestContext): GrantType[] {
    return [...(caller.grants ?? [])];
  }
}

function toPayload({ key, secret }: NewApiKey): CreateApiKeyPayload {
  return { key: ApiKeyType.from(key), secret };
}
