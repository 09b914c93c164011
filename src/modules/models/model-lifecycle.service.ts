import type { Database, Transaction } from "../../ports/database.js";
import type { InferenceRuntime } from "../../ports/inference-runtime.js";
import { InvalidInputError, PreconditionFailedError } from "../../shared/errors.js";
import { reportStageTransition } from "../../telemetry/events.js";
import type { Page, PageRequest } from "../../shared/pagination.js";
import type { Caller } from "../identity/index.js";
import { onceOnly } from "../operations/index.js";
import type { ModelRow } from "./model.entity.js";
import {
  assertArtifactKept,
  assertExpected,
  assertMayEnter,
  isExclusive,
  rollbackTarget,
} from "./model-lifecycle.rules.js";
import type { ModelRegistryService } from "./model-registry.service.js";
import type { ModelVersionRow, Stage } from "./model-version.entity.js";
import { ModelVersionRepository } from "./model-version.repository.js";
import type { ServedVersions } from "./served-versions.js";
import type { StageTransitionRow } from "./stage-transition.entity.js";
import { filesKey } from "./version-files.js";
import { failpoint } from "../../shared/failpoint.js";

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

/**
 * Part of the transaction that puts a version into production; the model is locked.
 * @returns what is left to do once it has committed; a process that ends before must be able to do without it
 */
export type ProductionHandler = (
  tx: Transaction,
  model: ModelRow,
  version: ModelVersionRow,
  caller: Caller,
) => Promise<FollowUp>;

type FollowUp = () => Promise<void>;

/** What `enter` needs beside the model: who enters which stage, and why. */
interface Entry {
  version: ModelVersionRow;
  to: Stage;
  incumbent: ModelVersionRow | null;
  kind: "PROMOTION" | "ROLLBACK";
  reason: string | null | undefined;
}

interface Change {
  transition: string;
  /** Key of the artifact that left production. */
  retired?: string;
}

/** Moves model versions through their stages. */
export class ModelLifecycleService {
  private readonly productionHandlers: ProductionHandler[] = [];

  constructor(
    private readonly database: Database,
    private readonly registry: ModelRegistryService,
    private readonly served: ServedVersions,
    private readonly runtime: InferenceRuntime,
  ) {}

  /** Lets another module change what is its own together with the version in production. */
  onProductionChange(handler: ProductionHandler): void {
    this.productionHandlers.push(handler);
  }

  /** Warms the version, then puts it into the stage, in one transaction with its history and event. */
  async promote(request: PromotionRequest, caller: Caller): Promise<StageTransitionRow> {
    assertReason(request.reason);
    const { version } = await this.registry.requireVersion(request.model, request.number);
    assertArtifactKept(version);
    if (version.status === "READY" && isExclusive(request.stage)) await this.served.warm(version);
    const { idempotencyKey, ...body } = request;
    const followUps: FollowUp[] = [];
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
          const { stage: to, reason } = request;
          const entry: Entry = { version: candidate, to, incumbent, kind: "PROMOTION", reason };
          return this.enter(tx, model, entry, caller, followUps);
        },
      ),
    );
    return this.afterwards(request.model, change, followUps);
  }

  /** Puts back the version that was in production before the current one. */
  async rollback(request: RollbackRequest, caller: Caller): Promise<StageTransitionRow> {
    assertReason(request.reason);
    await this.warmRollbackTarget(request.model);
    const { idempotencyKey, ...body } = request;
    const followUps: FollowUp[] = [];
    const change = await this.database.transaction((tx) =>
      onceOnly(
        tx,
        { caller: caller.subject, operation: "rollbackModel", key: idempotencyKey, body },
        async (): Promise<Change> => {
          const model = await this.registry.lockModel(tx, request.model);
          const versions = new ModelVersionRepository(tx);
          const incumbent = await versions.inStage(model.id, "PRODUCTION");
          assertExpected(incumbent ?? undefined, "PRODUCTION", request.expectedCurrent);
          const target = await this.rollbackTargetOf(versions, model.id);
          if (target === undefined) {
            throw new PreconditionFailedError(
              `model "${model.name}" has no earlier production version to go back to`,
            );
          }
          const candidate = (await versions.find(target))!;
          const entry: Entry = {
            ...{ version: candidate, to: "PRODUCTION", incumbent },
            ...{ kind: "ROLLBACK", reason: request.reason },
          };
          return this.enter(tx, model, entry, caller, followUps);
        },
      ),
    );
    return this.afterwards(request.model, change, followUps);
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
    const target = model && (await this.rollbackTargetOf(this.versions(), model.id));
    const version = target == null ? null : await this.versions().find(target);
    if (version) await this.served.warm(version);
  }

  private async rollbackTargetOf(
    versions: ModelVersionRepository,
    modelId: string,
  ): Promise<string | undefined> {
    return rollbackTarget(await versions.history(modelId), await versions.withoutArtifact(modelId));
  }

  private async enter(
    tx: Transaction,
    model: ModelRow,
    { version, to, incumbent, kind, reason }: Entry,
    caller: Caller,
    followUps: FollowUp[],
  ): Promise<Change> {
    const transition = await new ModelVersionRepository(tx).enterStage(model, {
      kind,
      version,
      to,
      incumbent: incumbent ?? undefined,
      actor: caller.subject,
      reason: reason ?? null,
    });
    if (to !== "PRODUCTION") return { transition: transition.id };
    for (const handle of this.productionHandlers) followUps.push(await handle(tx, model, version, caller));
    failpoint("promotion.written");
    // An embedder that was replaced answers searches until its collections have been embedded anew.
    const leaves = incumbent && model.kind !== "TEXT_EMBEDDER" && filesKey(incumbent) !== filesKey(version);
    return { transition: transition.id, ...(leaves ? { retired: filesKey(incumbent) } : {}) };
  }

  /** The transaction has committed: serve the new version here, drain the old one, tell the operators. */
  private async afterwards(
    modelName: string,
    change: Change & { repeated: boolean },
    followUps: readonly FollowUp[],
  ): Promise<StageTransitionRow> {
    failpoint("promotion.committed");
    await this.served.changed(modelName);
    for (const followUp of followUps) await followUp();
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
