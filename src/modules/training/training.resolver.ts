import {
  Arg,
  Args,
  ArgsType,
  Authorized,
  Ctx,
  Field,
  FieldResolver,
  ID,
  Mutation,
  Query,
  Resolver,
  Root,
  Subscription,
} from "type-graphql";
import { parseNodeId, requireNodeOfType } from "../../shared/node-id.js";
import { toPageRequest } from "../../shared/pagination.js";
import { CurveService, CurveType, curveLoader } from "../curves/index.js";
import { PageArgs, toConnection } from "../graph/index.js";
import type { Connection } from "../graph/index.js";
import { RequestContext } from "../identity/index.js";
import {
  ModelRegistryService,
  ModelType,
  ModelVersionType,
  modelLoader,
  versionLoader,
} from "../models/index.js";
import { toEventCursor } from "../operations/index.js";
import type { StoredEvent } from "../operations/index.js";
import { TrainingService } from "./training.service.js";
import {
  CancelTrainingInput,
  StartTrainingInput,
  TrainingEvent,
  TrainingRunConnection,
  TrainingRunPayload,
  TrainingRunType,
} from "./training.types.js";
import type { RunStatus, TrainingRunRow } from "./training-run.entity.js";
import { TrainingRuns } from "./training-runs.js";
import type { StartedRun } from "./training-runs.js";

@ArgsType()
class TrainingRunsArgs extends PageArgs {
  @Field(() => String, { nullable: true })
  model?: string | null;
}

@ArgsType()
class TrainingEventArgs {
  @Field(() => ID, { nullable: true })
  run?: string | null;

  @Field(() => String, { nullable: true })
  model?: string | null;

  @Field(() => String, { nullable: true })
  after?: string | null;
}

@Resolver(() => TrainingRunType)
export class TrainingResolver {
  constructor(
    private readonly training: TrainingService,
    private readonly runs: TrainingRuns,
    private readonly registry: ModelRegistryService,
    private readonly curveService: CurveService,
  ) {}

  @Authorized("training:read")
  @Query(() => TrainingRunType, { nullable: true })
  async trainingRun(@Arg("id", () => ID) id: string): Promise<TrainingRunType | null> {
    const node = parseNodeId(id);
    const row = node?.type === "TrainingRun" ? await this.runs.find(node.id) : null;
    return row && new TrainingRunType(row);
  }

  @Authorized("training:read")
  @Query(() => TrainingRunConnection, { description: "Newest first." })
  async trainingRuns(@Args() args: TrainingRunsArgs): Promise<Connection<TrainingRunType>> {
    const page = await this.runs.list(args.model ?? undefined, toPageRequest(args, ["instant", "uuid"]));
    return toConnection(page, (row) => new TrainingRunType(row));
  }

  @FieldResolver(() => ModelType)
  async model(@Root() { row }: TrainingRunType, @Ctx() context: RequestContext): Promise<ModelType> {
    return new ModelType(await modelLoader(context, this.registry).load(row.modelId));
  }

  @FieldResolver(() => CurveType, { nullable: true, description: "What it learns from." })
  async curve(@Root() { row }: TrainingRunType, @Ctx() context: RequestContext): Promise<CurveType | null> {
    if (row.curveId === null) return null;
    return new CurveType(await curveLoader(context, this.curveService).load(row.curveId));
  }

  @FieldResolver(() => ModelVersionType, { nullable: true })
  async version(
    @Root() { row }: TrainingRunType,
    @Ctx() context: RequestContext,
  ): Promise<ModelVersionType | null> {
    if (row.versionId === null) return null;
    return new ModelVersionType(await versionLoader(context, this.registry).load(row.versionId));
  }

  @Authorized("training:start")
  @Mutation(() => TrainingRunPayload, { nullable: true })
  async startTraining(
    @Arg("input") input: StartTrainingInput,
    @Ctx() { caller }: RequestContext,
  ): Promise<TrainingRunPayload> {
    return toPayload(await this.training.start(input, caller));
  }

  @Authorized("training:cancel")
  @Mutation(() => TrainingRunPayload, { nullable: true })
  async cancelTraining(
    @Arg("input") { run }: CancelTrainingInput,
    @Ctx() { caller }: RequestContext,
  ): Promise<TrainingRunPayload> {
    return toPayload(await this.runs.cancel(requireNodeOfType(run, "TrainingRun", "input.run"), caller));
  }

  @Authorized("training:read")
  @Subscription(() => TrainingEvent, {
    description: "after: the last event's cursor; what was missed since is replayed first, in order.",
    subscribe: ({ args, context }: { args: TrainingEventArgs; context: RequestContext }) =>
      subscribe(args, context),
  })
  async trainingEvents(
    @Root() { position, at, payload }: StoredEvent,
    @Args() _args: TrainingEventArgs,
    @Ctx() context: RequestContext,
  ): Promise<TrainingEvent> {
    const event = payload as { run: string; status: RunStatus; progress: number; message: string };
    const row = await runLoader(context, this.runs).clear(event.run).load(event.run);
    return { ...event, cursor: toEventCursor(position), at, run: new TrainingRunType(row) };
  }
}

@Resolver(() => ModelVersionType)
export class VersionTrainingResolver {
  constructor(private readonly runs: TrainingRuns) {}

  @FieldResolver(() => TrainingRunType, { nullable: true })
  async trainingRun(
    @Root() { row }: ModelVersionType,
    @Ctx() context: RequestContext,
  ): Promise<TrainingRunType | null> {
    if (row.trainingRunId === null) return null;
    return new TrainingRunType(await runLoader(context, this.runs).load(row.trainingRunId));
  }
}

function runLoader(context: RequestContext, runs: TrainingRuns) {
  return context.loader<string, TrainingRunRow>("trainingRun", (ids) => runs.byIds(ids));
}

function subscribe(
  { run, model, after }: TrainingEventArgs,
  { feed }: RequestContext,
): Promise<AsyncIterable<unknown>> {
  const subject = {
    run: run == null ? undefined : requireNodeOfType(run, "TrainingRun", "run"),
    model: model ?? undefined,
  };
  return feed.subscribe({ topic: "training", subject, after });
}

function toPayload({ run, cursor }: StartedRun): TrainingRunPayload {
  return { run: new TrainingRunType(run), cursor };
}
