import {
  Arg,
  Args,
  ArgsType,
  Authorized,
  Ctx,
  Field,
  FieldResolver,
  Int,
  Mutation,
  Query,
  Resolver,
  Root,
} from "type-graphql";
import { toPageRequest } from "../../shared/pagination.js";
import { DateTimeScalar, PageArgs, toConnection } from "../graph/index.js";
import type { Connection } from "../graph/index.js";
import { RequestContext } from "../identity/index.js";
import type { ModelKind } from "./model.entity.js";
import { ModelLifecycleService } from "./model-lifecycle.service.js";
import { ModelRegistryService } from "./model-registry.service.js";
import { RegisterModelInput, RegisterModelPayload } from "./model-mutation.types.js";
import {
  ModelConnection,
  ModelKindEnum,
  ModelType,
  ModelVersionConnection,
  ModelVersionType,
  StageEnum,
  StageTransitionConnection,
  StageTransitionType,
} from "./model.types.js";
import type { ModelVersionRow, Stage } from "./model-version.entity.js";

@ArgsType()
class ModelsArgs extends PageArgs {
  @Field(() => ModelKindEnum, { nullable: true })
  kind?: ModelKind | null;
}

@ArgsType()
class VersionsArgs extends PageArgs {
  @Field(() => StageEnum, { nullable: true })
  stage?: Stage | null;
}

@Resolver(() => ModelType)
export class ModelResolver {
  constructor(
    private readonly registry: ModelRegistryService,
    private readonly lifecycle: ModelLifecycleService,
  ) {}

  @Authorized("model:read")
  @Query(() => ModelType, { nullable: true })
  async model(@Arg("name") name: string): Promise<ModelType | null> {
    const row = await this.registry.findModel(name);
    return row && new ModelType(row);
  }

  @Authorized("model:read")
  @Query(() => ModelConnection, { description: "By name." })
  async models(@Args() args: ModelsArgs): Promise<Connection<ModelType>> {
    const page = await this.registry.listModels(args.kind ?? undefined, toPageRequest(args, ["text"]));
    return toConnection(page, (row) => new ModelType(row));
  }

  @FieldResolver(() => ModelVersionType, { nullable: true })
  production(@Root() model: ModelType, @Ctx() context: RequestContext): Promise<ModelVersionType | null> {
    return this.inStage(model, "PRODUCTION", context);
  }

  @FieldResolver(() => ModelVersionType, { nullable: true })
  staging(@Root() model: ModelType, @Ctx() context: RequestContext): Promise<ModelVersionType | null> {
    return this.inStage(model, "STAGING", context);
  }

  @FieldResolver(() => ModelVersionType, {
    nullable: true,
    description: "The version that was in production at an instant; null before the first promotion.",
  })
  async productionAt(
    @Root() model: ModelType,
    @Arg("time", () => DateTimeScalar) time: Date,
  ): Promise<ModelVersionType | null> {
    const row = await this.lifecycle.productionAt(model.row, time);
    return row && new ModelVersionType(row);
  }

  @FieldResolver(() => ModelVersionType, { nullable: true })
  async version(
    @Root() model: ModelType,
    @Arg("number", () => Int) number: number,
  ): Promise<ModelVersionType | null> {
    const row = await this.registry.findVersion(model.row, number);
    return row && new ModelVersionType(row);
  }

  @FieldResolver(() => ModelVersionConnection, { description: "Newest first." })
  async versions(
    @Root() model: ModelType,
    @Args() args: VersionsArgs,
  ): Promise<Connection<ModelVersionType>> {
    const request = toPageRequest(args, ["integer"]);
    const page = await this.registry.listVersions(model.row, args.stage ?? undefined, request);
    return toConnection(page, (row) => new ModelVersionType(row));
  }

  @FieldResolver(() => StageTransitionConnection, {
    description: "Every stage change ever made, newest first; never edited, never deleted.",
  })
  async transitions(
    @Root() model: ModelType,
    @Args() args: PageArgs,
  ): Promise<Connection<StageTransitionType>> {
    const page = await this.lifecycle.history(model.row, toPageRequest(args, ["integer"]));
    return toConnection(page, (row) => new StageTransitionType(row));
  }

  @Authorized("model:register")
  @Mutation(() => RegisterModelPayload, { nullable: true })
  async registerModel(
    @Arg("input") input: RegisterModelInput,
    @Ctx() { caller }: RequestContext,
  ): Promise<RegisterModelPayload> {
    return { model: new ModelType(await this.registry.register(input, caller)) };
  }

  private async inStage(
    model: ModelType,
    stage: "PRODUCTION" | "STAGING",
    context: RequestContext,
  ): Promise<ModelVersionType | null> {
    const row = await context
      .loader<string, ModelVersionRow | null>(`versionIn${stage}`, (ids) =>
        this.registry.versionsInStage(ids, stage),
      )
      .load(model.row.id);
    return row && new ModelVersionType(row);
  }
}
