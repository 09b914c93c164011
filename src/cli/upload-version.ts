import { setTimeout as delay } from "node:timers/promises";
import type { ArtifactFile } from "./artifact-file.js";
import type { CliContext } from "./command.js";
import { CommandFailure } from "./command-failure.js";
import type { EmbedderInput, ModelRegistration, ModelVersion, Upload } from "./graph-operations.js";

const VALIDATION_POLL_MS = 200;

export interface VersionUpload {
  model: string;
  graph: ArtifactFile;
  files: ArtifactFile[];
  metrics?: { name: string; value: number }[];
  parameters?: { name: string; value: string }[];
  embedder?: EmbedderInput;
  idempotencyKey?: string;
}

/** Registers a model unless it exists. @returns whether it did */
export async function registerWhenAbsent({ graph }: CliContext, model: ModelRegistration): Promise<boolean> {
  try {
    if ((await graph.execute("model", { name: model.name })).model) return false;
  } catch (error) {
    if (!(error instanceof CommandFailure) || error.code !== "NOT_FOUND") throw error;
  }
  await graph.execute("register-model", { input: model });
  return true;
}

/**
 * Creates a version, uploads its files and waits until it is validated.
 * @throws {CommandFailure} REJECTED, with the reason
 */
export async function uploadVersion(context: CliContext, upload: VersionUpload): Promise<ModelVersion> {
  const version = await submitVersion(context, upload);
  if (version.status !== "REJECTED") return version;
  throw new CommandFailure(
    "REJECTED",
    `${upload.model} version ${version.number}: ${version.rejection ?? "no reason given"}`,
  );
}

/** As `uploadVersion`, but what is REJECTED is a result, too. */
export async function submitVersion(context: CliContext, upload: VersionUpload): Promise<ModelVersion> {
  return waitForValidation(context, upload.model, await sendFiles(context, upload));
}

async function sendFiles(
  { graph, terminal }: CliContext,
  { graph: graphFile, files, model, metrics = [], parameters = [], ...rest }: VersionUpload,
): Promise<number> {
  const { createModelVersion: created } = await graph.execute("create-model-version", {
    input: {
      ...{ model, metrics, parameters, sha256: graphFile.sha256, bytes: graphFile.bytes, ...rest },
      files: files.map(({ name, sha256, bytes }) => ({ name, sha256, bytes })),
    },
  });
  const uploads: [ArtifactFile, Upload][] = [
    [graphFile, created.upload],
    ...files.map((file, i): [ArtifactFile, Upload] => [file, created.fileUploads[i]!]),
  ];
  const total = uploads.reduce((sum, [{ bytes }]) => sum + bytes, 0);
  let sent = 0;
  const progress = terminal.progress("uploading");
  try {
    for (const [file, upload] of uploads) {
      await graph.upload(upload, file, (bytes) => {
        sent += bytes;
        progress.update(sent / total, file.name);
      });
    }
  } finally {
    progress.stop();
  }
  const { number } = created.version;
  await graph.execute("complete-model-version", { input: { model, number } });
  return number;
}

/** @returns the version, READY or REJECTED */
export async function waitForValidation(
  { graph }: CliContext,
  name: string,
  number: number,
): Promise<ModelVersion> {
  for (;;) {
    const { model } = await graph.execute("model-version", { model: name, number });
    if (model?.version && model.version.status !== "PENDING") return model.version;
    await delay(VALIDATION_POLL_MS);
  }
}
