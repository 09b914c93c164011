import type { Database } from "../../ports/database.js";
import type { InferenceRuntime } from "../../ports/inference-runtime.js";
import { InvalidInputError, PreconditionFailedError } from "../../shared/errors.js";
import { reportStageTransition } from "../../telemetry/events.js";
import type { Page, PageRequest } from "../../shared/pagination.js";
import type { Caller } from "../identity/index.js";
import { onceOnly } from "../operations/index.js";
import type { ModelRow } from "./model.entity.js";
import { assertExpected, assertMayEnter, isExclusive, rollbackTarget } from "./model-lifecycle.rules.js";
import type { ModelRegistryService } from "./model-registry.service.js";
import type { ModelVersionRow, Stage } from "./model-version.entity.js";
import { ModelVersionRepository } from "./model-version.repository.js";
import type { ServedVersions } from "./served-versions.js";
import type { StageTransitionRow } from "./stage-transition.entity.js";
import { filesKey } from "./version-files.js";

export interface PromotionRequest {
  model: string;
  number: number;
  stage: Stage;
  reason?: string | null;
  expectedCurrent?: number | null;
  idempotencyKey?: string | null;
}

export interface RollbackRequest {
  model: string;
  reason?: string | null;
  expectedCurrent?: number | null;
  idempotencyKey?: string | null;
}

interface Change {
  transition: string;
  /** Key of the artifact that left production. */
  retired?: string;
}

/** Moves model versions through their stages. */
export class ModelLifecycleService {
  constructor(
    private readonly database: Database,
    private readonly registry: ModelRegistryService,
    private readonly served: ServedVersions,
    private readonly runtime: InferenceRuntime,
  ) {}

  /** Warms the version, then puts it into the stage, in one transaction with its history and event. */
  async promote(request: PromotionRequest, caller: Caller): Promise<StageTransitionRow> {
    assertReason(request.reason);
    const { version } = await this.registry.requireVersion(request.model, request.number);
    if (version.status === "READY" && isExclusive(request.stage)) await this.served.warm(version);
    const { idempotencyKey, ...body } = request;
    const change = await this.database.transaction((tx) =>
      onceOnly(
        tx,
        { caller: caller.subject, operation: "promoteModelVersion", key: idempotencyKey, body },
        async (): Promise<Change> => {
          const model = await this.registry.lockModel(tx, request.model);
          const versions = new ModelVersionRepository(tx);
          const candidate = (await versions.find(version.id))!;
          const incumbent = isExclusive(request.stage)
            ? await versions.inStage(model.id, request.stage)
            : null;
          assertMayEnter(candidate, request.stage, incumbent ?? undefined, request.expectedCurrent);
          if (candidate.stage === request.stage) {
            const last = await versions.lastTransitionOf(candidate.id);
            if (last) return { transition: last.id };
            throw new PreconditionFailedError(`version ${candidate.number} has never left ${request.stage}`);
          }
          return this.enter(
            versions,
            model,
            candidate,
            request.stage,
            incumbent,
            "PROMOTION",
            request,
            caller,
          );
        },
      ),
    );
    return this.afterwards(request.model, change);
  }

  /** Puts back the version that was in production before the current one. */
  async rollback(request: RollbackRequest, caller: Caller): Promise<StageTransitionRow> {
    assertReason(request.reason);
    await this.warmRollbackTarget(request.model);
    const { idempotencyKey, ...body } = request;
    const change = await this.database.transaction((tx) =>
      onceOnly(
        tx,
        { caller: caller.subject, operation: "rollbackModel", key: idempotencyKey, body },
        async (): Promise<Change> => {
          const model = await this.registry.lockModel(tx, request.model);
          const versions = new ModelVersionRepository(tx);
          const incumbent = await versions.inStage(model.id, "PRODUCTION");
          assertExpected(incumbent ?? undefined, "PRODUCTION", request.expectedCurrent);
          const target = rollbackTarget(await versions.history(model.id));
          if (target === undefined) {
            throw new PreconditionFailedError(
              `model "${model.name}" has no earlier production version to go back to`,
            );
          }
          const candidate = (await versions.find(target))!;
          return this.enter(versions, model, candidate, "PRODUCTION", incumbent, "ROLLBACK", request, caller);
        },
      ),
    );
    return this.afterwards(request.model, change);
  }

  history(model: ModelRow, page: PageRequest): Promise<Page<StageTransitionRow>> {
    return this.versions().transitions(model.id, page);
  }

  productionAt(model: ModelRow, time: Date): Promise<ModelVersionRow | null> {
    return this.versions().productionAt(model.id, time);
  }

  findTransition(id: string): Promise<StageTransitionRow | null> {
    return this.versions().findTransition(id);
  }

  /** Outside the transaction, so that nobody waits for a model to load; inside, the target is read again. */
  private async warmRollbackTarget(modelName: string): Promise<void> {
    const model = await this.registry.findModel(modelName);
    const target = model && rollbackTarget(await this.versions().history(model.id));
    const version = target === undefined || target === null ? null : await this.versions().find(target);
    if (version) await this.served.warm(version);
  }

  private async enter(
    versions: ModelVersionRepository,
    model: ModelRow,
    version: ModelVersionRow,
    to: Stage,
    incumbent: ModelVersionRow | null,
    kind: "PROMOTION" | "ROLLBACK",
    request: { reason?: string | null },
    caller: Caller,
  ): Promise<Change> {
    const transition = await versions.enterStage(model, {
      kind,
      version,
      to,
      incumbent: incumbent ?? undefined,
      actor: caller.subject,
      reason: request.reason ?? null,
    });
    const leaves = to === "PRODUCTION" && incumbent && filesKey(incumbent) !== filesKey(version);
    return { transition: transition.id, ...(leaves ? { retired: filesKey(incumbent) } : {}) };
  }

  /** The transaction has committed: serve the new version here, drain the old one, tell the operators. */
  private async afterwards(
    modelName: string,
    change: Change & { repeated: boolean },
  ): Promise<StageTransitionRow> {
    this.served.forget(modelName);
    const transition = (await this.findTransition(change.transition))!;
    if (!change.repeated)
      reportStageTransition({ model: modelName, kind: transition.kind, stage: transition.to });
    // Drained behind the answer; what fails to unload is evicted when memory is wanted.
    if (change.retired !== undefined && !change.repeated)
      this.runtime.unload(change.retired).catch(() => undefined);
    return transition;
  }

  private versions(): ModelVersionRepository {
    return new ModelVersionRepository(this.database.dataSource.manager);
  }
}

function assertReason(reason: string | null | undefined): void {
  if ((reason?.length ?? 0) > 2000) throw InvalidInputError.at("input.reason", "at most 2000 characters");
}
