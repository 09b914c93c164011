import { Arg, Authorized, Ctx, FieldResolver, Mutation, Resolver, Root } from "type-graphql";
import { RequestContext } from "../identity/index.js";
import { TrainingRunPayload, TrainingRunType } from "../training/index.js";
import { collectionLoader } from "./collection.resolver.js";
import { CollectionService } from "./collection.service.js";
import { CollectionType } from "./collection.types.js";
import { EmbedderTrainingService } from "./embedder-training.service.js";
import { TrainEmbedderInput } from "./embedder-training.types.js";

@Resolver(() => TrainingRunType)
export class EmbedderTrainingResolver {
  constructor(
    private readonly training: EmbedderTrainingService,
    private readonly collections: CollectionService,
  ) {}

  @Authorized("training:start")
  @Mutation(() => TrainingRunPayload, { nullable: true })
  async trainEmbedder(
    @Arg("input") input: TrainEmbedderInput,
    @Ctx() { caller }: RequestContext,
  ): Promise<TrainingRunPayload> {
    const { run, cursor } = await this.training.start(input, caller);
    return { run: new TrainingRunType(run), cursor };
  }

  @FieldResolver(() => CollectionType, { nullable: true, description: "The collection it learns from." })
  async collection(
    @Root() { row }: TrainingRunType,
    @Ctx() context: RequestContext,
  ): Promise<CollectionType | null> {
    if (row.collectionId === null) return null;
    return new CollectionType(await collectionLoader(context, this.collections).load(row.collectionId));
  }
}
