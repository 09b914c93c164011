import type { Database } from "../../ports/database.js";
import type { InferenceRuntime, LoadedModel } from "../../ports/inference-runtime.js";
import type { ObjectStore } from "../../ports/object-store.js";
import { Bell } from "../../shared/bell.js";
import { NotFoundError, PreconditionFailedError } from "../../shared/errors.js";
import type { Logger } from "../../telemetry/logger.js";
import { OUTBOX_CHANNEL } from "../operations/index.js";
import type { ModelRow } from "./model.entity.js";
import { assertArtifactKept } from "./model-lifecycle.rules.js";
import { ModelRepository } from "./model.repository.js";
import type { ModelVersionRow, Stage } from "./model-version.entity.js";
import { ModelVersionRepository } from "./model-version.repository.js";
import { isExclusive } from "./model-lifecycle.rules.js";
import type { ServedVersion } from "./served-version.js";
import { StagePointers } from "./stage-pointers.js";
import { toModelSource } from "./version-files.js";

export interface VersionSelector {
  /** Wins over a stage. */
  number?: number | null;
  stage?: Stage | null;
}

/** A change that was not heard of is noticed after this. */
const POLL_MS = 1_000;

/**
 * Which version answers a call, from memory: asking the database at each call would cost more than the
 * call. A stage change of any process is followed once the version is warm here.
 */
export class ServedVersions {
  private readonly pointers: StagePointers;
  /** By number and by stages that hold many versions, by model. */
  private readonly byModel = new Map<string, Promise<ServedVersion>>();
  private readonly byId = new Map<string, Promise<ServedVersion>>();
  private readonly modelNames = new Map<string, string>();
  private readonly bell = new Bell();
  private following: Promise<void> = Promise.resolve();
  private loop: Promise<void> = Promise.resolve();
  private stopListening?: () => Promise<void>;

  constructor(
    private readonly database: Database,
    private readonly store: ObjectStore,
    private readonly runtime: InferenceRuntime,
    private readonly logger: Logger,
  ) {
    this.pointers = new StagePointers(runtime, (id) => this.find(id));
  }

  async start(): Promise<void> {
    this.stopListening = await this.database.listen(OUTBOX_CHANNEL, (topic) => {
      if (topic !== "promotion" && topic !== "") return;
      this.forget();
      this.bell.ring();
    });
    this.loop = this.keepFollowing();
  }

  /**
   * @throws {NotFoundError} when the model or the version does not exist, naming the field
   * @throws {PreconditionFailedError} when the version is not READY, or its artifact was removed
   */
  resolve(modelName: string, selector: VersionSelector | null | undefined): Promise<ServedVersion> {
    const wanted = selector?.number == null ? (selector?.stage ?? "PRODUCTION") : selector.number;
    const look = () => this.lookUp(modelName, wanted);
    if (typeof wanted === "string" && isExclusive(wanted))
      return this.pointers.resolve(modelName, wanted, look);
    return remembered(this.byModel, `${wanted} ${modelName}`, look);
  }

  /**
   * Any READY version, whatever its stage.
   * @throws {NotFoundError} when there is no such version
   * @throws {PreconditionFailedError} when the version is not READY
   */
  byVersionId(id: string): Promise<ServedVersion> {
    return remembered(this.byId, id, () => this.find(id));
  }

  /** Loads the version and runs it once, before it serves anyone. */
  async warm(version: ModelVersionRow): Promise<LoadedModel> {
    return this.runtime.warm(await toModelSource(this.store, version));
  }

  /** Name of a model that has been served, by the key of its source. */
  modelOf(sourceKey: string): string {
    return this.modelNames.get(sourceKey) ?? "unknown";
  }

  /** A stage of the model has changed: resolves once this process serves what is there now, or has reported why not. */
  async changed(modelName: string): Promise<void> {
    this.forget();
    await this.follow();
    await this.pointers.settled(modelName);
  }

  async close(): Promise<void> {
    this.bell.retire();
    await this.loop;
    await this.stopListening?.();
  }

  private async keepFollowing(): Promise<void> {
    while (!this.bell.retired) {
      await this.follow();
      await this.bell.wait(POLL_MS);
    }
  }

  /** One after the other: an answer of before a change must not be heeded after one that knows of it. */
  private follow(): Promise<void> {
    return (this.following = this.following.then(() => this.readStages()));
  }

  private async readStages(): Promise<void> {
    const models = this.pointers.models();
    if (models.length === 0) return;
    try {
      const rows = await new ModelVersionRepository(this.database.dataSource.manager).inExclusiveStages(
        models,
      );
      const ids = new Map(rows.map(({ modelId, stage, id }) => [`${stage} ${modelId}`, id]));
      if (this.pointers.follow((modelId, stage) => ids.get(`${stage} ${modelId}`))) this.forget();
    } catch (err) {
      this.logger.warn({ event: "model.stages_unknown", err }, "stage changes cannot be read; asking again");
    }
  }

  /** Rows say in which stage they are: what is not in a pointer is read again. */
  private forget(): void {
    this.byModel.clear();
    this.byId.clear();
  }

  private async find(id: string): Promise<ServedVersion> {
    const { manager } = this.database.dataSource;
    const version = await new ModelVersionRepository(manager).find(id);
    if (!version) throw new NotFoundError("no such ModelVersion");
    const model = (await new ModelRepository(manager).byIds([version.modelId])).get(version.modelId)!;
    return this.serve(model, version);
  }

  private async lookUp(modelName: string, wanted: number | Stage): Promise<ServedVersion> {
    const { manager } = this.database.dataSource;
    const model = await new ModelRepository(manager).byName(modelName);
    if (!model) throw new NotFoundError(`input.model: no model "${modelName}"`, { field: "input.model" });
    const versions = new ModelVersionRepository(manager);
    const version =
      typeof wanted === "number"
        ? await versions.byNumber(model.id, wanted)
        : await versions.inStage(model.id, wanted);
    if (!version) {
      const what = typeof wanted === "number" ? `version ${wanted}` : `version in ${wanted}`;
      throw new NotFoundError(`input.version: model "${modelName}" has no ${what}`, {
        field: "input.version",
      });
    }
    return this.serve(model, version);
  }

  private async serve(model: ModelRow, version: ModelVersionRow): Promise<ServedVersion> {
    if (version.status !== "READY" || !version.signature) {
      throw new PreconditionFailedError(`version ${version.number} of "${model.name}" is ${version.status}`);
    }
    assertArtifactKept(version);
    const source = await toModelSource(this.store, version);
    this.modelNames.set(source.key, model.name);
    return { model, version, signature: version.signature, source };
  }
}

/** A failure may be cured a moment later (a first promotion): never remembered. */
function remembered(
  known: Map<string, Promise<ServedVersion>>,
  key: string,
  look: () => Promise<ServedVersion>,
): Promise<ServedVersion> {
  const earlier = known.get(key);
  if (earlier) return earlier;
  const looked = look();
  known.set(key, looked);
  looked.catch(() => {
    if (known.get(key) === looked) known.delete(key);
  });
  return looked;
}
