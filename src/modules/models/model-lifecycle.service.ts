import type { Database, Transaction } from "../../ports/database.js";
import type { InferenceRuntime } from "../../ports/inference-runtime.js";
import {
  ForbiddenError,
  InvalidInputError,
  NotFoundError,
  PreconditionFailedError,
} from "../../shared/errors.js";
import { reportStageTransition } from "../../telemetry/events.js";
import type { Page, PageRequest } from "../../shared/pagination.js";
import { assertGranted, isProgram, mayDo, personOf } from "../identity/index.js";
import type { Caller } from "../identity/index.js";
import { onceOnly } from "../operations/index.js";
import type { ModelRow } from "./model.entity.js";
import {
  assertArtifactKept,
  assertExpected,
  assertMayEnter,
  isExclusive,
  rollbackTarget,
  stagesTouched,
} from "./model-lifecycle.rules.js";
import type { ModelRegistryService } from "./model-registry.service.js";
import type { ModelVersionRow, Stage } from "./model-version.entity.js";
import { ModelVersionRepository } from "./model-version.repository.js";
import { ModelRepository } from "./model.repository.js";
import type { PromotionRequestRow } from "./promotion-request.entity.js";
import { PromotionRequestRepository } from "./promotion-request.repository.js";
import type { ServedVersions } from "./served-versions.js";
import type { StageTransitionRow } from "./stage-transition.entity.js";
import { toTransitionRecord } from "./transition-record.js";
import type { TransitionRecord } from "./transition-record.js";
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
  /** Who asked for it, where another person's word lets it happen. */
  approves?: PromotionRequestRow;
}

interface Change {
  transition: string;
  /** It waits for a second person. */
  pending?: true;
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
  async promote(request: PromotionRequest, caller: Caller): Promise<TransitionRecord> {
    assertReason(request.reason);
    assertGranted(caller, "model:promote", { model: request.model });
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
          assertStagesGranted(caller, model, candidate.stage, request.stage);
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
          if (model.fourEyes && stagesTouched(candidate.stage, to).includes("PRODUCTION")) {
            return this.ask(tx, model, entry, request.expectedCurrent, caller);
          }
          return this.enter(tx, model, entry, caller, followUps);
        },
      ),
    );
    return this.afterwards(request.model, change, followUps);
  }

  /** Puts back the version that was in production before the current one. */
  async rollback(request: RollbackRequest, caller: Caller): Promise<TransitionRecord> {
    assertReason(request.reason);
    assertGranted(caller, "model:promote", { model: request.model, stage: "PRODUCTION" });
    await this.warmRollbackTarget(request.model);
    const { idempotencyKey, ...body } = request;
    const followUps: FollowUp[] = [];
    const change = await this.database.transaction((tx) =>
      onceOnly(
        tx,
        { caller: caller.subject, operation: "rollbackModel", key: idempotencyKey, body },
        async (): Promise<Change> => {
          const model = await this.registry.lockModel(tx, request.model);
          if (model.fourEyes && !mayDo(caller.roles, "model:recover")) {
            throw new ForbiddenError(
              `production of "${model.name}" asks for four eyes: rolling it back needs model:recover`,
            );
          }
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

  /**
   * The second person's word: all is checked again, and then done.
   * @throws {ForbiddenError} for the person who asked, and for programs
   * @throws {PreconditionFailedError} when it waits no more
   */
  async approve(id: string, caller: Caller): Promise<TransitionRecord> {
    assertPerson(caller);
    const { request, model: known } = await this.requireRequest(id);
    assertGranted(caller, "model:promote", { model: known.name, stage: "PRODUCTION" });
    assertAnother(caller, request);
    const version = (await this.versions().find(request.versionId))!;
    if (request.status === "PENDING" && version.status === "READY" && isExclusive(request.to)) {
      assertArtifactKept(version);
      await this.served.warm(version);
    }
    const followUps: FollowUp[] = [];
    const change = await this.database.transaction(async (tx): Promise<Change> => {
      const model = await this.registry.lockModel(tx, known.name);
      const current = (await new PromotionRequestRepository(tx).find(id))!;
      if (current.status !== "PENDING")
        throw new PreconditionFailedError(`the promotion is ${current.status}`);
      const versions = new ModelVersionRepository(tx);
      const candidate = (await versions.find(current.versionId))!;
      const { to, reason, expectedCurrent } = current;
      const incumbent = isExclusive(to) ? await versions.inStage(model.id, to) : null;
      assertMayEnter(candidate, to, incumbent ?? undefined, expectedCurrent);
      if (candidate.stage === to)
        throw new PreconditionFailedError(`version ${candidate.number} is in ${to} already`);
      assertStagesGranted(caller, model, candidate.stage, to);
      await new PromotionRequestRepository(tx).closePending(model.id, "MADE", caller.subject);
      const entry: Entry = {
        version: candidate,
        to,
        incumbent,
        kind: "PROMOTION",
        reason,
        approves: current,
      };
      return this.enter(tx, model, entry, caller, followUps);
    });
    return this.afterwards(known.name, { ...change, repeated: false }, followUps);
  }

  /** Takes back what waits; nothing has changed, and nothing will. */
  async withdraw(id: string, caller: Caller): Promise<TransitionRecord> {
    const { model: known } = await this.requireRequest(id);
    assertGranted(caller, "model:promote", { model: known.name, stage: "PRODUCTION" });
    await this.database.transaction(async (tx) => {
      const model = await this.registry.lockModel(tx, known.name);
      const requests = new PromotionRequestRepository(tx);
      const { status } = (await requests.find(id))!;
      if (status === "WITHDRAWN") return;
      if (status !== "PENDING") throw new PreconditionFailedError(`the promotion is ${status}`);
      await requests.closePending(model.id, "WITHDRAWN", caller.subject);
    });
    return (await this.findTransition(id))!;
  }

  /** Lets production of a model change by the word of two persons only, or of one; what waits is withdrawn then. */
  async setFourEyes(modelName: string, required: boolean, caller: Caller): Promise<ModelRow> {
    return this.database.transaction(async (tx) => {
      const model = await this.registry.lockModel(tx, modelName);
      await new ModelRepository(tx).update(model, { fourEyes: required });
      if (!required)
        await new PromotionRequestRepository(tx).closePending(model.id, "WITHDRAWN", caller.subject);
      return model;
    });
  }

  async pendingOf(modelIds: readonly string[]): Promise<(TransitionRecord | null)[]> {
    const found = await new PromotionRequestRepository(this.database.dataSource.manager).pendingOf(modelIds);
    return modelIds.map((id) => {
      const request = found.get(id);
      return request ? toTransitionRecord(request) : null;
    });
  }

  history(model: ModelRow, page: PageRequest): Promise<Page<StageTransitionRow>> {
    return this.versions().transitions(model.id, page);
  }

  productionAt(model: ModelRow, time: Date): Promise<ModelVersionRow | null> {
    return this.versions().productionAt(model.id, time);
  }

  /** Made or not: what waits for a second person is found, too. */
  async findTransition(id: string): Promise<TransitionRecord | null> {
    const made = await this.versions().findTransition(id);
    if (made) return made;
    const request = await new PromotionRequestRepository(this.database.dataSource.manager).find(id);
    return request && toTransitionRecord(request);
  }

  /** @throws {NotFoundError | PreconditionFailedError} when nothing with that id has waited for a second person */
  private async requireRequest(id: string): Promise<{ request: PromotionRequestRow; model: ModelRow }> {
    const request = await new PromotionRequestRepository(this.database.dataSource.manager).find(id);
    if (!request) {
      if (await this.versions().findTransition(id)) {
        throw new PreconditionFailedError("the change needed nobody's approval");
      }
      throw new NotFoundError("input.transition: no such StageTransition", { field: "input.transition" });
    }
    const model = await this.registry.modelWithin(this.database.dataSource.manager, request.modelId);
    return { request, model };
  }

  /** Notes what is to be done once another person says so. */
  private async ask(
    tx: Transaction,
    model: ModelRow,
    { version, to, reason }: Entry,
    expectedCurrent: number | null | undefined,
    caller: Caller,
  ): Promise<Change> {
    const request = await new PromotionRequestRepository(tx).insert({
      ...{ modelId: model.id, versionId: version.id, from: version.stage, to },
      ...{ expectedCurrent: expectedCurrent ?? null, reason: reason ?? null },
      ...{ requestedBy: caller.subject, requester: personOf(caller) },
    });
    return { transition: request.id, pending: true };
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
    { version, to, incumbent, kind, reason, approves }: Entry,
    caller: Caller,
    followUps: FollowUp[],
  ): Promise<Change> {
    const transition = await new ModelVersionRepository(tx).enterStage(model, {
      kind,
      version,
      to,
      incumbent: incumbent ?? undefined,
      actor: approves?.requestedBy ?? caller.subject,
      reason: reason ?? null,
      approved: approves && { id: approves.id, by: caller.subject },
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
  ): Promise<TransitionRecord> {
    if (change.pending) return (await this.findTransition(change.transition))!;
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

/** @throws {ForbiddenError} when grants keep the caller from a stage that the change concerns */
function assertStagesGranted(caller: Caller, { name: model }: ModelRow, from: Stage, to: Stage): void {
  for (const stage of stagesTouched(from, to)) assertGranted(caller, "model:promote", { model, stage });
}

/** @throws {ForbiddenError} for a program: who holds its credentials is not known */
function assertPerson(caller: Caller): void {
  if (!isProgram(caller)) return;
  throw new ForbiddenError("a promotion is approved by a person, not by an API key or a certificate");
}

/** @throws {ForbiddenError} when one person speaks through both */
function assertAnother(caller: Caller, { requester }: PromotionRequestRow): void {
  if (personOf(caller) !== requester) return;
  throw new ForbiddenError("the promotion needs the word of another person than the one who asked for it");
}

function assertReason(reason: string | null | undefined): void {
  if ((reason?.length ?? 0) > 2000) throw InvalidInputError.at("input.reason", "at most 2000 characters");
}
