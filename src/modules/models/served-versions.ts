import type { Database } from "../../ports/database.js";
import type {
  InferenceRuntime,
  LoadedModel,
  ModelSignature,
  ModelSource,
} from "../../ports/inference-runtime.js";
import type { ObjectStore } from "../../ports/object-store.js";
import { NotFoundError, PreconditionFailedError } from "../../shared/errors.js";
import { OUTBOX_CHANNEL } from "../operations/index.js";
import type { ModelRow } from "./model.entity.js";
import { assertArtifactKept } from "./model-lifecycle.rules.js";
import { ModelRepository } from "./model.repository.js";
import type { ModelVersionRow, Stage } from "./model-version.entity.js";
import { ModelVersionRepository } from "./model-version.repository.js";
import { toModelSource } from "./version-files.js";

export interface VersionSelector {
  /** Wins over a stage. */
  number?: number | null;
  stage?: Stage | null;
}

/** A version with all that serving it needs. */
export interface ServedVersion {
  model: ModelRow;
  version: ModelVersionRow;
  signature: ModelSignature;
  source: ModelSource;
}

/**
 * Which version answers a call, from memory: asking the database at each call would cost more than the
 * call. Stage changes of this process forget at once, those of others with their event.
 */
export class ServedVersions {
  private readonly byModel = new Map<string, Map<string, Promise<ServedVersion>>>();
  private readonly byId = new Map<string, Promise<ServedVersion>>();
  private readonly modelNames = new Map<string, string>();
  private stopListening?: () => Promise<void>;

  constructor(
    private readonly database: Database,
    private readonly store: ObjectStore,
    private readonly runtime: InferenceRuntime,
  ) {}

  async start(): Promise<void> {
    this.stopListening = await this.database.listen(OUTBOX_CHANNEL, (topic) => {
      if (topic !== "promotion" && topic !== "") return;
      this.byModel.clear();
      this.byId.clear();
    });
  }

  /**
   * @throws {NotFoundError} when the model or the version does not exist, naming the field
   * @throws {PreconditionFailedError} when the version is not READY, or its artifact was removed
   */
  resolve(modelName: string, selector: VersionSelector | null | undefined): Promise<ServedVersion> {
    const wanted = selector?.number == null ? (selector?.stage ?? "PRODUCTION") : selector.number;
    const known = this.byModel.get(modelName)?.get(String(wanted));
    if (known) return known;
    const looked = this.lookUp(modelName, wanted);
    const versions = this.byModel.get(modelName) ?? new Map<string, Promise<ServedVersion>>();
    this.byModel.set(modelName, versions.set(String(wanted), looked));
    // A failure may be cured a moment later (a first promotion): never remembered.
    looked.catch(() => {
      versions.delete(String(wanted));
      if (versions.size === 0 && this.byModel.get(modelName) === versions) this.byModel.delete(modelName);
    });
    return looked;
  }

  /**
   * Any READY version, whatever its stage.
   * @throws {NotFoundError} when there is no such version
   * @throws {PreconditionFailedError} when the version is not READY
   */
  byVersionId(id: string): Promise<ServedVersion> {
    const known = this.byId.get(id);
    if (known) return known;
    const looked = this.find(id);
    this.byId.set(id, looked);
    looked.catch(() => this.byId.delete(id));
    return looked;
  }

  /** Loads the version and runs it once, before it serves anyone. */
  async warm(version: ModelVersionRow): Promise<LoadedModel> {
    return this.runtime.warm(await toModelSource(this.store, version));
  }

  /** Name of a model that has been served, by the key of its source. */
  modelOf(sourceKey: string): string {
    return this.modelNames.get(sourceKey) ?? "unknown";
  }

  forget(modelName: string): void {
    this.byModel.delete(modelName);
    this.byId.clear();
  }

  async close(): Promise<void> {
    await this.stopListening?.();
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
