import {
  Arg,
  Args,
  ArgsType,
  Authorized,
  Ctx,
  Field,
  FieldResolver,
  Mutation,
  Resolver,
  Root,
  Subscription,
} from "type-graphql";
import type { DirectLink } from "../../ports/object-store.js";
import { NotFoundError } from "../../shared/errors.js";
import { AuditTrail } from "../audit/index.js";
import { CurveService, CurveType, curveLoader } from "../curves/index.js";
import { RequestContext, isGranted, mayDo } from "../identity/index.js";
import { JobType, toEventCursor } from "../operations/index.js";
import type { StoredEvent } from "../operations/index.js";
import { ArtifactLinks } from "./artifact-links.js";
import type { ModelRow } from "./model.entity.js";
import { ModelLifecycleService } from "./model-lifecycle.service.js";
import { ModelRegistryService } from "./model-registry.service.js";
import {
  CompleteModelVersionInput,
  CreateModelVersionInput,
  CreateModelVersionPayload,
  PromoteModelVersionInput,
  PromotionEvent,
  RollbackModelInput,
  StageTransitionPayload,
  Upload,
} from "./model-mutation.types.js";
import { Artifact, ModelType, ModelVersionType, StageTransitionType } from "./model.types.js";
import type { ArtifactFileRecord, ModelVersionRow } from "./model-version.entity.js";
import { ModelVersionPayload } from "./model-version.types.js";
import { filesOf } from "./version-files.js";

@ArgsType()
class PromotionEventArgs {
  @Field(() => String, { nullable: true })
  model?: string | null;

  @Field(() => String, { nullable: true })
  after?: string | null;
}

/** The request's loader of models by their id. */
export function modelLoader(context: RequestContext, registry: ModelRegistryService) {
  return context.loader<string, ModelRow>("model", (ids) => registry.modelsByIds(ids));
}

/** The request's loader of versions by their id. */
export function versionLoader(context: RequestContext, registry: ModelRegistryService) {
  return context.loader<string, ModelVersionRow>("version", (ids) => registry.versionsByIds(ids));
}

/** The request's loader that enters into the audit log, once and together, of what links are given out. */
function linkAudit(context: RequestContext, trail: AuditTrail) {
  const { caller, requestId } = context;
  return context.loader<string, true>("artifactLink", async (targets) => {
    const about = { actor: caller.subject, action: "artifact.link", outcome: "OK", requestId, detail: {} };
    await trail.record(targets.map((target) => ({ ...about, target })));
    return targets.map(() => true as const);
  });
}

@Resolver(() => ModelVersionType)
export class ModelVersionResolver {
  constructor(
    private readonly registry: ModelRegistryService,
    private readonly lifecycle: ModelLifecycleService,
    private readonly curveService: CurveService,
    private readonly links: ArtifactLinks,
    private readonly trail: AuditTrail,
  ) {}

  @FieldResolver(() => ModelType)
  async model(@Root() version: ModelVersionType, @Ctx() context: RequestContext): Promise<ModelType> {
    return new ModelType(await modelLoader(context, this.registry).load(version.row.modelId));
  }

  @FieldResolver(() => Artifact, {
    nullable: true,
    description: "Null for callers who may not download it, and once a cleanup has removed it.",
  })
  async artifact(
    @Root() { row }: ModelVersionType,
    @Ctx() context: RequestContext,
  ): Promise<Artifact | null> {
    if (row.artifactRemovedAt !== null || !(await this.mayDownload(row, context))) return null;
    const link = (file: ArtifactFileRecord) => this.link(context, row, file);
    const [graph, ...files] = filesOf(row).map((file) => ({
      ...file,
      // A getter: what nobody asks for is not given out.
      get downloadUrl() {
        return link(file);
      },
    }));
    return Object.assign(graph!, { files });
  }

  @FieldResolver(() => CurveType, {
    nullable: true,
    description: "CURVE_FORECASTER: the curve it was fitted to.",
  })
  async curve(@Root() { row }: ModelVersionType, @Ctx() context: RequestContext): Promise<CurveType | null> {
    if (row.curveId === null) return null;
    return new CurveType(await curveLoader(context, this.curveService).load(row.curveId));
  }

  @Authorized("model:upload")
  @Mutation(() => CreateModelVersionPayload, {
    nullable: true,
    description:
      "Returns where to PUT the bytes; completeModelVersion then verifies the digest and validates the graph.",
  })
  async createModelVersion(
    @Arg("input") input: CreateModelVersionInput,
    @Ctx() { caller, baseUrl }: RequestContext,
  ): Promise<CreateModelVersionPayload> {
    const row = await this.registry.createVersion(input, caller);
    const [upload, ...fileUploads] = await Promise.all(
      filesOf(row).map(async (file) => toUpload(await this.links.upload(baseUrl, row.id, file))),
    );
    return { version: new ModelVersionType(row), upload: upload!, fileUploads };
  }

  @Authorized("model:upload")
  @Mutation(() => ModelVersionPayload, { nullable: true })
  async completeModelVersion(
    @Arg("input") { model, number }: CompleteModelVersionInput,
    @Ctx() { caller }: RequestContext,
  ): Promise<ModelVersionPayload> {
    const { version, job } = await this.registry.complete(model, number, caller);
    return { version: new ModelVersionType(version), job: job && JobType.from(job) };
  }

  @Authorized("model:promote")
  @Mutation(() => StageTransitionPayload, {
    nullable: true,
    description:
      "Puts this version into the stage and retires the one it replaces. Where the model asks for four eyes, what " +
      "concerns production waits for approvePromotion.",
  })
  async promoteModelVersion(
    @Arg("input") input: PromoteModelVersionInput,
    @Ctx() { caller }: RequestContext,
  ): Promise<StageTransitionPayload> {
    const transition = new StageTransitionType(await this.lifecycle.promote(input, caller));
    return { transition, pending: transition.status === "PENDING" };
  }

  @Authorized("model:promote")
  @Mutation(() => StageTransitionPayload, {
    nullable: true,
    description:
      "Puts back the version that was in production before the current one; again walks further back, never to " +
      "and fro; none left is PRECONDITION_FAILED.",
  })
  async rollbackModel(
    @Arg("input") input: RollbackModelInput,
    @Ctx() { caller }: RequestContext,
  ): Promise<StageTransitionPayload> {
    return {
      transition: new StageTransitionType(await this.lifecycle.rollback(input, caller)),
      pending: false,
    };
  }

  @Authorized("model:read")
  @Subscription(() => PromotionEvent, {
    description: "after: the last event's cursor; what was missed since is replayed first, in order.",
    subscribe: ({ args, context }: { args: PromotionEventArgs; context: RequestContext }) =>
      context.feed.subscribe({
        topic: "promotion",
        subject: { model: args.model ?? undefined },
        after: args.after,
      }),
  })
  async promotionEvents(
    @Root() event: StoredEvent,
    @Args() _args: PromotionEventArgs,
  ): Promise<PromotionEvent> {
    const row = await this.lifecycle.findTransition(String(event.payload.transition));
    if (!row) throw new NotFoundError("no such StageTransition");
    return { cursor: toEventCursor(event.position), at: event.at, transition: new StageTransitionType(row) };
  }

  private async mayDownload({ modelId }: ModelVersionRow, context: RequestContext): Promise<boolean> {
    const { roles, grants } = context.caller;
    if (!mayDo(roles, "model:download")) return false;
    if (grants === undefined) return true;
    const { name } = await modelLoader(context, this.registry).load(modelId);
    return isGranted(grants, "model:download", { model: name });
  }

  /** Entered before it is given out: one that leads into the store is seen by nobody again. */
  private async link(
    context: RequestContext,
    version: ModelVersionRow,
    { sha256, name }: ArtifactFileRecord,
  ): Promise<string> {
    const model = await modelLoader(context, this.registry).load(version.modelId);
    await linkAudit(context, this.trail).load(`model:${model.name}#${version.number}`);
    return this.links.download(context.baseUrl, sha256, name);
  }
}

@Resolver(() => StageTransitionType)
export class StageTransitionResolver {
  constructor(private readonly registry: ModelRegistryService) {}

  @FieldResolver(() => ModelVersionType)
  async version(
    @Root() { row }: StageTransitionType,
    @Ctx() context: RequestContext,
  ): Promise<ModelVersionType> {
    return new ModelVersionType(await versionLoader(context, this.registry).load(row.versionId));
  }

  @FieldResolver(() => ModelVersionType, {
    nullable: true,
    description: "The version that this change retired, when it put another into its place.",
  })
  async retired(
    @Root() { row }: StageTransitionType,
    @Ctx() context: RequestContext,
  ): Promise<ModelVersionType | null> {
    if (row.retiredId === null) return null;
    return new ModelVersionType(await versionLoader(context, this.registry).load(row.retiredId));
  }
}

function toUpload({ url, headers, expiresAt }: DirectLink): Upload {
  const named = Object.entries(headers).map(([name, value]) => ({ name, value }));
  return { method: "PUT", url, headers: named, expiresAt };
}
