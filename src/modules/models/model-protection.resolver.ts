import { Arg, Authorized, Ctx, Mutation, Resolver } from "type-graphql";
import { RequestContext } from "../identity/index.js";
import { ModelRegistryService } from "./model-registry.service.js";
import { ModelVersionType } from "./model.types.js";
import { ModelVersionPayload, ProtectModelVersionInput } from "./model-version.types.js";

@Resolver()
export class ModelProtectionResolver {
  constructor(private readonly registry: ModelRegistryService) {}

  @Authorized("model:protect")
  @Mutation(() => ModelVersionPayload, {
    nullable: true,
    description: "Keeps the artifact of this version whatever a cleanup would do, or no longer.",
  })
  async protectModelVersion(
    @Arg("input") input: ProtectModelVersionInput,
    @Ctx() { caller }: RequestContext,
  ): Promise<ModelVersionPayload> {
    const { model, number } = input;
    const version = await this.registry.protect(model, number, input.protected ?? true, caller);
    return { version: new ModelVersionType(version), job: null };
  }
}
