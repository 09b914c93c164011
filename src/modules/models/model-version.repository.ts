import { randomUUID } from "node:crypto";
import { In, IsNull, Not } from "typeorm";
import type { Transaction } from "../../ports/database.js";
import { toPage } from "../../shared/pagination.js";
import type { Page, PageRequest } from "../../shared/pagination.js";
import { OutboxRepository } from "../operations/index.js";
import type { ModelRow } from "./model.entity.js";
import { isExclusive } from "./model-lifecycle.rules.js";
import { ModelVersionRow } from "./model-version.entity.js";
import type { Stage } from "./model-version.entity.js";
import { StageTransitionRow } from "./stage-transition.entity.js";
import type { TransitionKind } from "./stage-transition.entity.js";

export type NewVersion = Pick<
  ModelVersionRow,
  "modelId" | "number" | "sha256" | "bytes" | "files" | "metrics" | "parameters" | "createdBy"
> &
  Partial<Pick<ModelVersionRow, "status" | "signature" | "embedder" | "trainingRunId" | "curveId">>;

export interface StageChange {
  kind: TransitionKind;
  version: ModelVersionRow;
  to: Stage;
  incumbent: ModelVersionRow | undefined;
  actor: string;
  reason: string | null;
  /** Of the request that somebody else has approved. */
  approved?: { id: string; by: string };
}

/** Versions of models, their stages and the history of these. */
export class ModelVersionRepository {
  constructor(private readonly tx: Transaction) {}

  async insert(version: NewVersion): Promise<ModelVersionRow> {
    const id = randomUUID();
    await this.tx.insert(ModelVersionRow, { id, ...version } as never);
    return this.tx.findOneByOrFail(ModelVersionRow, { id });
  }

  find(id: string): Promise<ModelVersionRow | null> {
    return this.tx.findOneBy(ModelVersionRow, { id });
  }

  lock(id: string): Promise<ModelVersionRow | null> {
    return this.tx.findOne(ModelVersionRow, { where: { id }, lock: { mode: "pessimistic_write" } });
  }

  async noteReceived(id: string, fileName: string): Promise<void> {
    await this.tx.query(
      "UPDATE model_versions SET received = array_append(received, $2) WHERE id = $1 AND $2 <> ALL (received)",
      [id, fileName],
    );
  }

  /** Names of the models with a version that has such a file. */
  async modelsWithFile(sha256: string): Promise<string[]> {
    const rows = await this.tx.query<{ name: string }[]>(
      `SELECT name FROM models WHERE id IN
         (SELECT model_id FROM model_versions WHERE status = 'READY'
          AND (sha256 = $1 OR files @> jsonb_build_array(jsonb_build_object('sha256', $1::text))))`,
      [sha256],
    );
    return rows.map(({ name }) => name);
  }

  byNumber(modelId: string, number: number): Promise<ModelVersionRow | null> {
    return this.tx.findOneBy(ModelVersionRow, { modelId, number });
  }

  inStage(modelId: string, stage: Stage): Promise<ModelVersionRow | null> {
    return this.tx.findOneBy(ModelVersionRow, { modelId, stage });
  }

  async byIds(ids: readonly string[]): Promise<Map<string, ModelVersionRow>> {
    const rows = await this.tx.findBy(ModelVersionRow, { id: In([...ids]) });
    return new Map(rows.map((row) => [row.id, row]));
  }

  /** The one version in a stage, for many models at once. */
  async inStageOf(modelIds: readonly string[], stage: Stage): Promise<Map<string, ModelVersionRow>> {
    const rows = await this.tx.findBy(ModelVersionRow, { modelId: In([...modelIds]), stage });
    return new Map(rows.map((row) => [row.modelId, row]));
  }

  /** Ids of what is in a stage that holds one version, for many models at once: model, stage, version. */
  async inExclusiveStages(
    modelIds: readonly string[],
  ): Promise<{ modelId: string; stage: Stage; id: string }[]> {
    return this.tx.query(
      `SELECT model_id AS "modelId", stage, id FROM model_versions
       WHERE model_id = ANY($1) AND stage IN ('PRODUCTION', 'STAGING')`,
      [modelIds],
    );
  }

  /** What is in production, with the size of all its files; what got there last first. */
  async newestInProduction(limit: number): Promise<{ model: string; bytes: number }[]> {
    return this.tx.query(
      `SELECT model.name AS model, (version.bytes + coalesce(beside.bytes, 0))::float8 AS bytes
       FROM model_versions version
       JOIN models model ON model.id = version.model_id
       CROSS JOIN LATERAL (
         SELECT sum((file->>'bytes')::bigint) AS bytes FROM jsonb_array_elements(version.files) file
       ) beside
       CROSS JOIN LATERAL (
         SELECT max(at) AS at FROM stage_transitions change
         WHERE change.model_id = version.model_id AND change.version_id = version.id
       ) entered
       WHERE version.stage = 'PRODUCTION'
       ORDER BY entered.at DESC NULLS LAST LIMIT $1`,
      [limit],
    );
  }

  async update(version: ModelVersionRow, changes: Partial<ModelVersionRow>): Promise<void> {
    Object.assign(version, changes);
    await this.tx.update(ModelVersionRow, version.id, changes as never);
  }

  async list(modelId: string, stage: Stage | undefined, page: PageRequest): Promise<Page<ModelVersionRow>> {
    const query = this.tx
      .createQueryBuilder(ModelVersionRow, "version")
      .where("version.modelId = :modelId", { modelId });
    if (stage !== undefined) query.andWhere("version.stage = :stage", { stage });
    const count = query.clone();
    if (page.after) query.andWhere("version.number < :after", { after: page.after[0] });
    const rows = await query
      .orderBy("version.number", "DESC")
      .limit(page.limit + 1)
      .getMany();
    return toPage(
      rows,
      page,
      (row) => [row.number],
      () => count.getCount(),
    );
  }

  /**
   * Puts a version into a stage, with its history and event. The caller holds the model's lock.
   * A partial unique index allows one version a stage, so the incumbent leaves before its successor enters.
   * Its time is as exact as clients are told it, so that `productionAt` that time finds the version.
   */
  async enterStage(model: ModelRow, change: StageChange): Promise<StageTransitionRow> {
    const { version, to, incumbent } = change;
    const from = version.stage;
    if (incumbent && isExclusive(to)) await this.update(incumbent, { stage: "ARCHIVED" });
    await this.update(version, { stage: to });
    const id = change.approved?.id ?? randomUUID();
    // Milliseconds, as clients see it: asked what was in production at that instant, it is this version.
    await this.tx.query(
      `WITH numbered AS (UPDATE models SET last_transition = last_transition + 1 WHERE id = $2 RETURNING last_transition)
       INSERT INTO stage_transitions
         (id, model_id, sequence, kind, version_id, from_stage, to_stage, retired_id, actor, reason, at, approved_by)
       SELECT $1, $2, last_transition, $3, $4, $5, $6, $7, $8, $9, date_trunc('milliseconds', clock_timestamp()), $10 FROM numbered`,
      [
        id,
        model.id,
        change.kind,
        version.id,
        from,
        to,
        incumbent?.id ?? null,
        change.actor,
        change.reason,
        change.approved?.by ?? null,
      ],
    );
    await new OutboxRepository(this.tx).append({
      topic: "promotion",
      subject: { model: model.name },
      payload: { transition: id, model: model.name },
    });
    return this.tx.findOneByOrFail(StageTransitionRow, { id });
  }

  findTransition(id: string): Promise<StageTransitionRow | null> {
    return this.tx.findOneBy(StageTransitionRow, { id });
  }

  /** The transition that brought a version to where it is: its own, or the one of the version that retired it. */
  lastTransitionOf(versionId: string): Promise<StageTransitionRow | null> {
    return this.tx.findOne(StageTransitionRow, {
      where: [{ versionId }, { retiredId: versionId }],
      order: { sequence: "DESC" },
    });
  }

  /** Ids of the versions whose artifacts a cleanup has removed. */
  async withoutArtifact(modelId: string): Promise<Set<string>> {
    const rows = await this.tx.find(ModelVersionRow, {
      select: { id: true },
      where: { modelId, artifactRemovedAt: Not(IsNull()) },
    });
    return new Set(rows.map(({ id }) => id));
  }

  /** Every transition of a model, oldest first. */
  history(modelId: string): Promise<StageTransitionRow[]> {
    return this.tx.find(StageTransitionRow, { where: { modelId }, order: { sequence: "ASC" } });
  }

  async transitions(modelId: string, page: PageRequest): Promise<Page<StageTransitionRow>> {
    const query = this.tx
      .createQueryBuilder(StageTransitionRow, "transition")
      .where("transition.modelId = :modelId", { modelId });
    const count = query.clone();
    if (page.after) query.andWhere("transition.sequence < :after", { after: page.after[0] });
    const rows = await query
      .orderBy("transition.sequence", "DESC")
      .limit(page.limit + 1)
      .getMany();
    return toPage(
      rows,
      page,
      (row) => [row.sequence],
      () => count.getCount(),
    );
  }

  /** The version that was in production at an instant. */
  async productionAt(modelId: string, time: Date): Promise<ModelVersionRow | null> {
    const [last] = await this.tx
      .createQueryBuilder(StageTransitionRow, "transition")
      .where("transition.modelId = :modelId AND transition.at <= :time", { modelId, time })
      .andWhere("(transition.to = 'PRODUCTION' OR transition.from = 'PRODUCTION')")
      .orderBy("transition.sequence", "DESC")
      .limit(1)
      .getMany();
    return last?.to === "PRODUCTION" ? this.find(last.versionId) : null;
  }
}
