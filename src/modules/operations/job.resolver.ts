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
import { requireNodeOfType, parseNodeId } from "../../shared/node-id.js";
import { toPageRequest } from "../../shared/pagination.js";
import { PageArgs, toConnection } from "../graph/index.js";
import type { Connection } from "../graph/index.js";
import { RequestContext } from "../identity/index.js";
import type { JobRow, JobState } from "./job.entity.js";
import { JobService } from "./job.service.js";
import {
  CancelJobInput,
  JobConnection,
  JobEvent,
  JobPayload,
  JobStateEnum,
  JobType,
  RetryJobInput,
} from "./job.types.js";
import { cursorBefore, toEventCursor } from "./outbox.repository.js";
import type { EventPosition, StoredEvent } from "./outbox.repository.js";

@ArgsType()
class JobsArgs extends PageArgs {
  @Field(() => String, { nullable: true })
  kind?: string | null;

  @Field(() => JobStateEnum, { nullable: true })
  state?: JobState | null;
}

@ArgsType()
class JobEventArgs {
  @Field(() => ID, { nullable: true })
  job?: string | null;

  @Field(() => String, { nullable: true })
  kind?: string | null;

  @Field(() => String, { nullable: true })
  after?: string | null;
}

@Resolver(() => JobType)
export class JobResolver {
  constructor(private readonly jobService: JobService) {}

  @Authorized("job:read")
  @Query(() => JobType, { nullable: true })
  async job(@Arg("id", () => ID) id: string): Promise<JobType | null> {
    const node = parseNodeId(id);
    const row = node?.type === "Job" ? await this.jobService.find(node.id) : null;
    return row && JobType.from(row);
  }

  @Authorized("job:read")
  @Query(() => JobConnection, { description: "Newest first." })
  async jobs(@Args() args: JobsArgs): Promise<Connection<JobType>> {
    const filter = { kind: args.kind ?? undefined, state: args.state ?? undefined };
    return toConnection(
      await this.jobService.list(filter, toPageRequest(args, ["instant", "uuid"])),
      JobType.from,
    );
  }

  @FieldResolver(() => JobType, { nullable: true, description: "The job that waits for this one." })
  async parent(@Root() { parentId }: JobType, @Ctx() context: RequestContext): Promise<JobType | null> {
    if (parentId === null) return null;
    return JobType.from(await this.loader(context).load(parentId));
  }

  @FieldResolver(() => JobConnection, { description: "Jobs that do parts of this one, newest first." })
  async children(@Root() { rowId }: JobType, @Args() args: PageArgs): Promise<Connection<JobType>> {
    const page = toPageRequest(args, ["instant", "uuid"]);
    return toConnection(await this.jobService.list({ parentId: rowId }, page), JobType.from);
  }

  @Authorized("job:operate")
  @Mutation(() => JobPayload, { nullable: true, description: "Runs a failed or cancelled job again." })
  async retryJob(
    @Arg("input") { job }: RetryJobInput,
    @Ctx() { caller }: RequestContext,
  ): Promise<JobPayload> {
    return toPayload(await this.jobService.retry(requireNodeOfType(job, "Job", "input.job"), caller));
  }

  @Authorized("job:operate")
  @Mutation(() => JobPayload, { nullable: true })
  async cancelJob(
    @Arg("input") { job }: CancelJobInput,
    @Ctx() { caller }: RequestContext,
  ): Promise<JobPayload> {
    return toPayload(await this.jobService.cancel(requireNodeOfType(job, "Job", "input.job"), caller));
  }

  @Authorized("job:read")
  @Subscription(() => JobEvent, {
    description: "after: the last event's cursor; what was missed since is replayed first, in order.",
    subscribe: ({ args, context }: { args: JobEventArgs; context: RequestContext }) =>
      subscribe(args, context),
  })
  async jobEvents(
    @Root() event: StoredEvent,
    @Args() _args: JobEventArgs,
    @Ctx() context: RequestContext,
  ): Promise<JobEvent> {
    const jobs = this.loader(context);
    const { job, state, progress } = event.payload as { job: string; state: JobState; progress: number };
    const row = await jobs.clear(job).load(job);
    return { cursor: toEventCursor(event.position), at: event.at, job: JobType.from(row), state, progress };
  }

  private loader(context: RequestContext) {
    return context.loader<string, JobRow>("job", (ids) => this.jobService.byIds(ids));
  }
}

function subscribe(
  { job, kind, after }: JobEventArgs,
  { feed }: RequestContext,
): Promise<AsyncIterable<unknown>> {
  const subject = {
    job: job == null ? undefined : requireNodeOfType(job, "Job", "job"),
    kind: kind ?? undefined,
  };
  return feed.subscribe({ topic: "job", subject, after });
}

function toPayload({ job, position }: { job: JobRow; position: EventPosition }): JobPayload {
  return { job: JobType.from(job), cursor: cursorBefore(position) };
}
