import { createHash, randomUUID } from "node:crypto";
import { Readable } from "node:stream";
import type { Database, Transaction } from "../../ports/database.js";
import type { ByteRange, ObjectStore } from "../../ports/object-store.js";
import type { EmbedderOptions } from "../../shared/embedder-options.js";
import { ConflictError, InvalidInputError, NotFoundError } from "../../shared/errors.js";
import type { Page, PageRequest } from "../../shared/pagination.js";
import { assertGranted, isGranted } from "../identity/index.js";
import type { Caller } from "../identity/index.js";
import { JobRepository, onceOnly } from "../operations/index.js";
import type { JobRow, JobRun, JobService } from "../operations/index.js";
import type { ArtifactValidation, Verdict, VersionCheck } from "./artifact-validation.js";
import { assertEmbedder, toEmbedderRequest } from "./embedder-input.rules.js";
import type { ModelKind, ModelRow } from "./model.entity.js";
import { validateModelVersionJob } from "./model.jobs.js";
import { assertArtifactKept } from "./model-lifecycle.rules.js";
import { ModelRepository } from "./model.repository.js";
import {
  GRAPH_FILE,
  assertArtifact,
  assertEntries,
  assertFiles,
  assertModelName,
} from "./model-input.rules.js";
import type { ArtifactFileRecord, ModelVersionRow, Stage } from "./model-version.entity.js";
import { ModelVersionRepository } from "./model-version.repository.js";
import { filesOf } from "./version-files.js";
import { failpoint } from "../../shared/failpoint.js";
import type {
  ModelRegistration,
  StoredArtifact,
  TrainedArtifact,
  TrainedVersion,
  VersionRequest,
} from "./version-request.js";

/** Models, their versions and the artifacts of these. */
export class ModelRegistryService {
  constructor(
    private readonly database: Database,
    private readonly store: ObjectStore,
    private readonly validation: ArtifactValidation,
    private readonly jobs: JobService,
    private readonly maxArtifactBytes: number,
  ) {}

  /** Lets another module say what a kind of model demands beyond a graph that runs. */
  addVersionCheck(kind: ModelKind, check: VersionCheck): void {
    this.validation.addCheck(kind, check);
  }

  async register(input: ModelRegistration, caller: Caller): Promise<ModelRow> {
    assertModelName(input.name, "input.name");
    assertGranted(caller, "model:register", { model: input.name });
    assertEntries(input.tags ?? [], "input.tags");
    if ((input.description?.length ?? 0) > 4096)
      throw InvalidInputError.at("input.description", "at most 4096 characters");
    return this.database.transaction(async (tx) => {
      const { created, model } = await this.ensureModel(tx, input, caller.subject);
      if (!created)
        throw new ConflictError(`input.name: a model "${input.name}" exists`, { field: "input.name" });
      return model;
    });
  }

  /** Creates the model unless it exists. */
  async ensureModel(
    tx: Transaction,
    input: ModelRegistration,
    createdBy: string,
  ): Promise<{ model: ModelRow; created: boolean }> {
    const models = new ModelRepository(tx);
    const created = await models.insert({
      id: randomUUID(),
      name: input.name,
      kind: input.kind,
      description: input.description ?? null,
      tags: input.tags ?? [],
      createdBy,
    });
    return { model: (await models.byName(input.name))!, created };
  }

  /** Announces an artifact; its bytes are uploaded next. */
  async createVersion(request: VersionRequest, caller: Caller): Promise<ModelVersionRow> {
    const { sha256, bytes, metrics, parameters, files, embedder } = request;
    assertGranted(caller, "model:upload", { model: request.model });
    assertArtifact({ sha256, bytes }, "input", this.maxArtifactBytes);
    assertFiles(files ?? [], this.maxArtifactBytes);
    assertEntries(metrics ?? [], "input.metrics");
    assertEntries(parameters ?? [], "input.parameters");
    const { idempotencyKey, ...body } = request;
    const { version } = await this.database.transaction((tx) =>
      onceOnly(
        tx,
        { caller: caller.subject, operation: "createModelVersion", key: idempotencyKey, body },
        async () => {
          const model = await this.lockModel(tx, request.model);
          assertEmbedder(model.kind, embedder, files ?? []);
          const created = await new ModelVersionRepository(tx).insert({
            modelId: model.id,
            number: await new ModelRepository(tx).nextNumber(model),
            sha256,
            bytes,
            files: (files ?? []).map(({ name, sha256: digest, bytes: size }) => ({
              name,
              sha256: digest,
              bytes: size,
            })),
            metrics: metrics ?? [],
            parameters: parameters ?? [],
            embedder:
              model.kind === "TEXT_EMBEDDER" ? (toEmbedderRequest(embedder) as EmbedderOptions) : null,
            createdBy: caller.subject,
          });
          return { version: created.id };
        },
      ),
    );
    return (await this.versions().find(version))!;
  }

  /**
   * Takes one file of a pending version.
   * @throws {ConflictError} when the version waits for no bytes any more
   * @throws {InvalidInputError} when size or digest are not what was announced; nothing is kept
   */
  async receive(versionId: string, fileName: string, content: AsyncIterable<Uint8Array>): Promise<void> {
    const version = await this.versions().find(versionId);
    const file = version && filesOf(version).find(({ name }) => name === fileName);
    if (!file) throw new NotFoundError("no such upload");
    if (version.status !== "PENDING")
      throw new ConflictError(`the version is ${version.status}; it takes no more bytes`);
    await this.store.put({ sha256: file.sha256, bytes: file.bytes }, content);
    await this.versions().noteReceived(version.id, file.name);
  }

  /** @throws {NotFoundError} */
  read(sha256: string, range?: ByteRange): Promise<Readable> {
    return this.store.read(sha256, range);
  }

  size(sha256: string): Promise<number | undefined> {
    return this.store.size(sha256);
  }

  /** Starts the validation of an uploaded version; again does no harm. */
  async complete(
    modelName: string,
    number: number,
    caller: Caller,
  ): Promise<{ version: ModelVersionRow; job: JobRow | null }> {
    assertGranted(caller, "model:upload", { model: modelName });
    const { version } = await this.requireVersion(modelName, number);
    if (version.status === "PENDING") await this.assertUploaded(version, caller);
    failpoint("artifact.stored");
    const { job, created } = await this.database.transaction(async (tx) => {
      const versions = new ModelVersionRepository(tx);
      const locked = (await versions.lock(version.id))!;
      const known = locked.validationJobId ? await new JobRepository(tx).find(locked.validationJobId) : null;
      if (locked.status !== "PENDING" || (known && !known.finishedAt)) return { job: known, created: false };
      const started = await this.jobs.create(
        tx,
        validateModelVersionJob,
        { version: locked.id },
        caller.subject,
      );
      await versions.update(locked, { validationJobId: started.job.id });
      return { job: started.job, created: true };
    });
    if (job && created) await this.jobs.dispatch(job);
    return { version: (await this.versions().find(version.id))!, job };
  }

  private async assertUploaded(version: ModelVersionRow, caller: Caller): Promise<void> {
    for (const file of filesOf(version)) {
      const field = file.name === GRAPH_FILE ? "input.number" : `input.files.${file.name}`;
      const isThere = version.received.includes(file.name) || (await this.mayReuse(file.sha256, caller));
      if (isThere && (await this.store.size(file.sha256)) === file.bytes) continue;
      if (await this.takeUpload(version, file, field)) continue;
      throw InvalidInputError.at(
        field,
        `no bytes with the announced digest of ${file.name} have been uploaded`,
      );
    }
  }

  /** Whoever may not download bytes has to have them: by a digest alone they would be had, too. */
  private async mayReuse(sha256: string, { grants }: Caller): Promise<boolean> {
    if (!grants?.some(({ permission }) => permission === "model:download")) return true;
    const models = await this.versions().modelsWithFile(sha256);
    return models.some((model) => isGranted(grants, "model:download", { model }));
  }

  /** @throws {InvalidInputError} when other bytes were sent to the store than those that were announced */
  private async takeUpload(
    version: ModelVersionRow,
    { name, ...file }: ArtifactFileRecord,
    field: string,
  ): Promise<boolean> {
    try {
      const taken = await this.store.takeUpload(version.id, file);
      if (taken) await this.versions().noteReceived(version.id, name);
      return taken;
    } catch (error) {
      if (!(error instanceof InvalidInputError)) throw error;
      throw InvalidInputError.at(field, `${name}: ${error.message}`);
    }
  }

  /** The job behind `complete`: READY with its signature, or REJECTED with a reason. */
  async validate(versionId: string, run: JobRun): Promise<{ status: string }> {
    const version = await this.versions().find(versionId);
    if (version?.status !== "PENDING") return { status: version?.status ?? "GONE" };
    const model = (await this.models().byIds([version.modelId])).get(version.modelId)!;
    const verdict = await this.validation.judge(model.kind, version, version.embedder);
    return this.database.transaction(async (tx) => {
      await this.jobs.assertHeld(tx, run);
      await new ModelVersionRepository(tx).update(
        version,
        verdict.ok
          ? { status: "READY", signature: verdict.signature, embedder: verdict.embedder }
          : { status: "REJECTED", rejection: verdict.rejection },
      );
      return { status: version.status };
    });
  }

  /** Stores an artifact that the platform trained, and validates it like any other. */
  async storeTrained({
    kind,
    graph,
    files = [],
    embedder,
  }: TrainedArtifact): Promise<Verdict & { artifact: StoredArtifact }> {
    const artifact = { ...(await this.keep(graph)), files: [] as ArtifactFileRecord[] };
    for (const { name, content } of files) artifact.files.push({ name, ...(await this.keep(content)) });
    return { ...(await this.validation.judge(kind, artifact, embedder ?? null)), artifact };
  }

  private async keep(content: Uint8Array): Promise<{ sha256: string; bytes: number }> {
    const file = {
      sha256: createHash("sha256").update(content).digest("hex"),
      bytes: content.byteLength,
    };
    await this.store.put(file, Readable.from([content]));
    return file;
  }

  /**
   * Adds a trained version, READY, in the caller's transaction. Once its row is written no cleanup begins to remove
   * objects until the transaction ends: what is in the store then stays.
   * @throws when a cleanup has just removed an equal artifact that nobody referred to: another try stores it again
   */
  async publish(tx: Transaction, trained: TrainedVersion): Promise<ModelVersionRow> {
    const { model, artifact, ...rest } = trained;
    const number = await new ModelRepository(tx).nextNumber(model);
    const version = await new ModelVersionRepository(tx).insert({
      ...rest,
      modelId: model.id,
      number,
      ...artifact,
      status: "READY",
    });
    for (const { sha256, bytes } of filesOf(version)) {
      if ((await this.store.size(sha256)) !== bytes) throw new Error(`the object ${sha256} is gone`);
    }
    return version;
  }

  /**
   * Keeps a version's artifact from cleanups, or lets it go.
   * @throws {PreconditionFailedError} when it has been removed already
   */
  async protect(
    modelName: string,
    number: number,
    isProtected: boolean,
    caller: Caller,
  ): Promise<ModelVersionRow> {
    assertGranted(caller, "model:protect", { model: modelName });
    const { version } = await this.requireVersion(modelName, number);
    return this.database.transaction(async (tx) => {
      await this.lockModel(tx, modelName);
      const versions = new ModelVersionRepository(tx);
      const locked = (await versions.lock(version.id))!;
      if (isProtected) assertArtifactKept(locked);
      await versions.update(locked, { protected: isProtected });
      return locked;
    });
  }

  async lockModel(tx: Transaction, name: string): Promise<ModelRow> {
    const model = await new ModelRepository(tx).lockByName(name);
    if (!model) throw new NotFoundError(`input.model: no model "${name}"`, { field: "input.model" });
    return model;
  }

  /** For transactions that know the model by a foreign key. */
  async modelWithin(tx: Transaction, id: string): Promise<ModelRow> {
    return (await new ModelRepository(tx).byIds([id])).get(id)!;
  }

  /** The version in production, for transactions that hold the model. */
  productionWithin(tx: Transaction, modelId: string): Promise<ModelVersionRow | null> {
    return new ModelVersionRepository(tx).inStage(modelId, "PRODUCTION");
  }

  findModel(name: string): Promise<ModelRow | null> {
    return this.models().byName(name);
  }

  /** @throws {NotFoundError} naming the field that named the model or number */
  async requireVersion(
    modelName: string,
    number: number,
  ): Promise<{ model: ModelRow; version: ModelVersionRow }> {
    const model = await this.findModel(modelName);
    if (!model) throw new NotFoundError(`input.model: no model "${modelName}"`, { field: "input.model" });
    const version = await this.versions().byNumber(model.id, number);
    if (!version) {
      throw new NotFoundError(`input.number: model "${modelName}" has no version ${number}`, {
        field: "input.number",
      });
    }
    return { model, version };
  }

  listModels(kind: ModelKind | undefined, page: PageRequest): Promise<Page<ModelRow>> {
    return this.models().list(kind, page);
  }

  namesInProduction(kind: ModelKind): Promise<string[]> {
    return this.models().namesInProduction(kind);
  }

  listVersions(model: ModelRow, stage: Stage | undefined, page: PageRequest): Promise<Page<ModelVersionRow>> {
    return this.versions().list(model.id, stage, page);
  }

  findVersion(model: ModelRow, number: number): Promise<ModelVersionRow | null> {
    return this.versions().byNumber(model.id, number);
  }

  async modelsByIds(ids: readonly string[]): Promise<(ModelRow | Error)[]> {
    const found = await this.models().byIds(ids);
    return ids.map((id) => found.get(id) ?? new NotFoundError("no such Model"));
  }

  async versionsByIds(ids: readonly string[]): Promise<(ModelVersionRow | Error)[]> {
    const found = await this.versions().byIds(ids);
    return ids.map((id) => found.get(id) ?? new NotFoundError("no such ModelVersion"));
  }

  async versionsInStage(modelIds: readonly string[], stage: Stage): Promise<(ModelVersionRow | null)[]> {
    const found = await this.versions().inStageOf(modelIds, stage);
    return modelIds.map((id) => found.get(id) ?? null);
  }

  private models(): ModelRepository {
    return new ModelRepository(this.database.dataSource.manager);
  }

  private versions(): ModelVersionRepository {
    return new ModelVersionRepository(this.database.dataSource.manager);
  }
}
