import { Arg, Authorized, Ctx, FieldResolver, Mutation, Resolver, Root } from "type-graphql";
import { RequestContext } from "../identity/index.js";
import { ModelVersionType, versionLoader } from "../models/index.js";
import type { ModelRegistryService } from "../models/index.js";
import { JobPayload, JobType } from "../operations/index.js";
import type { JobRow, JobService } from "../operations/index.js";
import type { CollectionService } from "./collection.service.js";
import {
  CollectionPayload,
  CollectionType,
  ReindexCollectionInput,
  SetCollectionEmbedderInput,
} from "./collection.types.js";
import type { ServingIndexService } from "./serving-index.service.js";

/** Which embedder answers, and how a collection comes to another. */
@Resolver(() => CollectionType)
export class CollectionEmbedderResolver {
  constructor(
    private readonly collections: CollectionService,
    private readonly serving: ServingIndexService,
    private readonly registry: ModelRegistryService,
    private readonly jobs: JobService,
  ) {}

  @Authorized("collection:write")
  @Mutation(() => CollectionPayload, { nullable: true })
  async setCollectionEmbedder(
    @Arg("input") input: SetCollectionEmbedderInput,
    @Ctx() { caller }: RequestContext,
  ): Promise<CollectionPayload> {
    return { collection: new CollectionType(await this.collections.setEmbedder(input, caller)) };
  }

  @Authorized("collection:reindex")
  @Mutation(() => JobPayload, {
    nullable: true,
    description:
      "Starts over with the current embedder; so do promotion and rollback of it and setCollectionEmbedder. A " +
      "newer one cancels the older.",
  })
  async reindexCollection(
    @Arg("input") input: ReindexCollectionInput,
    @Ctx() { caller }: RequestContext,
  ): Promise<JobPayload> {
    const { job, cursor } = await this.collections.reindex(input, caller);
    return { job: JobType.from(job), cursor };
  }

  @FieldResolver(() => ModelVersionType, {
    nullable: true,
    description: "The version that answers searches now; during a reindex still the old one.",
  })
  async embedder(
    @Root() { row }: CollectionType,
    @Ctx() context: RequestContext,
  ): Promise<ModelVersionType | null> {
    const loader = context.loader<number, string | null>("servingVersion", (ids) =>
      this.serving.versionsOf(ids),
    );
    const versionId = await loader.load(row.id);
    if (versionId === null) return null;
    return new ModelVersionType(await versionLoader(context, this.registry).load(versionId));
  }

  @FieldResolver(() => JobType, {
    nullable: true,
    description: "The last reindex, under way or ended; none where an index stood ready.",
  })
  async reindex(@Root() { row }: CollectionType, @Ctx() context: RequestContext): Promise<JobType | null> {
    if (row.reindexJobId === null) return null;
    const jobs = context.loader<string, JobRow>("job", (ids) => this.jobs.byIds(ids));
    return JobType.from(await jobs.load(row.reindexJobId));
  }
}
