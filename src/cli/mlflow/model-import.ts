import { createHash } from "node:crypto";
import type { CliContext } from "../command.js";
import { CommandFailure } from "../command-failure.js";
import type { ImportedVersion } from "../graph-operations.js";
import { readModel } from "../known-model.js";
import type { KnownModel } from "../known-model.js";
import { registerWhenAbsent, submitVersion, waitForValidation } from "../upload-version.js";
import { carriedFacts, fitting } from "./carried-facts.js";
import type { ModelOutcome, VersionOutcome } from "./import-outcome.js";
import { UnreachableArtifact } from "./mlflow-estate.js";
import type { ArtifactFolder, MlflowEstate, MlflowModel, MlflowVersion } from "./mlflow-estate.js";
import { inspectArtifact, readOnnxFiles, UnusableGraph } from "./onnx-artifact.js";
import type { OnnxFiles } from "./onnx-artifact.js";
import { importsOf } from "./platform-registry.js";
import { planStages } from "./stage-plan.js";
import type { AliasStages } from "./stage-plan.js";
import { StageSettling } from "./stage-settling.js";

export interface ImportSettings {
  aliases: AliasStages;
  dryRun: boolean;
}

/** What the platform says of one version, and what MLflow says of one artifact; anything else ends the run. */
const OF_ONE_VERSION = new Set(["INVALID_INPUT", "TOO_LARGE", "CONFLICT", "PRECONDITION_FAILED"]);
const OF_ONE_ARTIFACT = new Set(["PROTOCOL", "FILE", "DIGEST"]);
const DESCRIPTION_LIMIT = 4096;

type Outcome = Partial<VersionOutcome>;

/** Brings one registered model with its versions, then sets their stages. Called again, it goes on where it ended. */
export class ModelImport {
  private readonly outcome: ModelOutcome;
  private known: KnownModel | undefined;

  /** @param name what the model is called here */
  constructor(
    private readonly context: CliContext,
    private readonly estate: MlflowEstate,
    private readonly source: MlflowModel,
    private readonly name: string,
    private readonly settings: ImportSettings,
  ) {
    this.outcome = {
      ...{ mlflow: source.name, model: name, registered: false },
      ...{ versions: [], notes: [], failures: 0 },
    };
  }

  async run(): Promise<ModelOutcome> {
    const versions = await this.estate.versions(this.source);
    this.known = await readModel(this.context, this.name);
    for (const version of versions) {
      const outcome = { ...untouched(version), ...(await this.bring(version)) };
      this.outcome.versions.push(outcome);
      if (outcome.result === "IMPORTED") {
        this.context.terminal.note(
          `${this.source.name} ${version.number}: ${this.name} version ${outcome.number}`,
        );
      }
    }
    const plan = planStages(versions, this.settings.aliases);
    await new StageSettling(this.context, this.outcome, plan, this.known).settle(this.settings.dryRun);
    return this.outcome;
  }

  private async bring(version: MlflowVersion): Promise<Outcome> {
    if (this.known && this.known.kind !== "TENSOR") {
      const reason = `${this.name} is a ${this.known.kind} model here; bring it under another name with --rename`;
      return { result: "REFUSED", reason };
    }
    const [before] = importsOf(version, this.known);
    if (before && before.status !== "PENDING") return asItWas(before);
    let folder: ArtifactFolder | undefined;
    try {
      folder = await this.estate.artifact(version);
      const contents = await inspectArtifact(folder);
      if (contents.kind === "OTHER") {
        return { result: "NOT_ONNX", flavours: contents.flavours, export: contents.hint };
      }
      if (this.settings.dryRun) return { result: "PLANNED" };
      const files = await readOnnxFiles(folder, contents.graphName);
      return await this.send(version, files, before);
    } catch (error) {
      return failureOf(error);
    } finally {
      await folder?.close();
    }
  }

  private async send(
    version: MlflowVersion,
    files: OnnxFiles,
    before: ImportedVersion | undefined,
  ): Promise<Outcome> {
    const { notes, ...facts } = carriedFacts(version, await this.estate.facts(version));
    try {
      const resumed = before && (await this.resume(before.number));
      const sent = resumed ?? (await this.upload({ model: this.name, ...files, ...facts }));
      if (sent.status === "READY") return { result: "IMPORTED", number: sent.number, stage: "NONE", notes };
      return { result: "REJECTED", number: sent.number, reason: sent.rejection, notes };
    } catch (error) {
      if (!(error instanceof CommandFailure) || !OF_ONE_VERSION.has(error.code)) throw error;
      return { result: "REFUSED", reason: error.message };
    }
  }

  /** A run that ended after the last byte has left only the validation to do. */
  private async resume(number: number) {
    try {
      await this.context.graph.execute("complete-model-version", { input: { model: this.name, number } });
    } catch (error) {
      if (error instanceof CommandFailure && error.code === "INVALID_INPUT") return undefined;
      throw error;
    }
    return waitForValidation(this.context, this.name, number);
  }

  private async upload(
    upload: OnnxFiles & { model: string } & Omit<ReturnType<typeof carriedFacts>, "notes">,
  ) {
    if (!this.known && !this.outcome.registered) await this.register();
    const { graph, files } = upload;
    const content = [graph, ...files].map(({ sha256, bytes }) => ({ sha256, bytes }));
    const body = { ...upload, graph: undefined, files: files.map(({ name }) => name), content };
    const digest = createHash("sha256").update(JSON.stringify(body)).digest("hex");
    // A run that was killed has announced the same version under the same key: it is gone on with.
    return submitVersion(this.context, { ...upload, idempotencyKey: `import-mlflow ${digest}` });
  }

  /** Only for a version that comes: an empty model would take the name from one of another kind. */
  private async register(): Promise<void> {
    const { description, tags } = this.source;
    this.outcome.registered = await registerWhenAbsent(this.context, {
      ...{ name: this.name, kind: "TENSOR", description: description?.slice(0, DESCRIPTION_LIMIT) },
      tags: fitting([{ name: "mlflow.model", value: this.source.name }, ...tags], "tag", this.outcome.notes),
    });
  }
}

function untouched({ number, stage, aliases }: MlflowVersion): VersionOutcome {
  return {
    ...{ mlflow: number, number: null, result: "REFUSED", stage: null, moved: false, pending: false },
    ...{ mlflowStage: stage, aliases, flavours: [], export: null, reason: null, notes: [] },
  };
}

function asItWas({ number, status, stage, rejection }: ImportedVersion): Outcome {
  if (status === "REJECTED") return { result: "REJECTED", number, reason: rejection };
  return { result: "UNCHANGED", number, stage: stage as VersionOutcome["stage"] };
}

/** @throws what concerns more than this version */
function failureOf(error: unknown): Outcome {
  if (error instanceof UnusableGraph) return { result: "REFUSED", reason: error.message };
  const isOfArtifact = error instanceof CommandFailure && OF_ONE_ARTIFACT.has(error.code);
  if (error instanceof UnreachableArtifact || isOfArtifact) {
    return { result: "UNREACHABLE", reason: error.message };
  }
  throw error;
}
