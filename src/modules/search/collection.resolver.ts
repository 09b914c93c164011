import { Arg, Args, Authorized, Ctx, FieldResolver, Mutation, Query, Resolver, Root } from "type-graphql";
import { toPageRequest } from "../../shared/pagination.js";
import { PageArgs, toConnection } from "../graph/index.js";
import type { Connection } from "../graph/index.js";
import { RequestContext } from "../identity/index.js";
import { ModelType, modelLoader } from "../models/index.js";
import type { ModelRegistryService } from "../models/index.js";
import type { CollectionRow } from "./collection.entity.js";
import { CollectionService } from "./collection.service.js";
import {
  CollectionConnection,
  CollectionPayload,
  CollectionType,
  CreateCollectionInput,
} from "./collection.types.js";

/** The request's loader of collections by their id. */
export function collectionLoader(context: RequestContext, collections: CollectionService) {
  return context.loader<number, CollectionRow>("collection", (ids) => collections.byIds(ids));
}

@Resolver(() => CollectionType)
export class CollectionResolver {
  constructor(
    private readonly collectionService: CollectionService,
    private readonly registry: ModelRegistryService,
  ) {}

  @Authorized("collection:read")
  @Query(() => CollectionType, { nullable: true })
  async collection(@Arg("name") name: string): Promise<CollectionType | null> {
    const row = await this.collectionService.find(name);
    return row && new CollectionType(row);
  }

  @Authorized("collection:read")
  @Query(() => CollectionConnection, { description: "By name." })
  async collections(@Args() args: PageArgs): Promise<Connection<CollectionType>> {
    return toConnection(
      await this.collectionService.list(toPageRequest(args, ["text"])),
      (row) => new CollectionType(row),
    );
  }

  @Authorized("collection:write")
  @Mutation(() => CollectionPayload, { nullable: true })
  async createCollection(
    @Arg("input") input: CreateCollectionInput,
    @Ctx() { caller }: RequestContext,
  ): Promise<CollectionPayload> {
    return { collection: new CollectionType(await this.collectionService.create(input, caller)) };
  }

  @FieldResolver(() => ModelType, {
    nullable: true,
    description: "The model whose production version embeds it.",
  })
  async embedderModel(
    @Root() { row }: CollectionType,
    @Ctx() context: RequestContext,
  ): Promise<ModelType | null> {
    if (row.embedderModelId === null) return null;
    return new ModelType(await modelLoader(context, this.registry).load(row.embedderModelId));
  }
}
