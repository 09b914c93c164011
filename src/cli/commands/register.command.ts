import { setTimeout as delay } from "node:timers/promises";
import type { Command } from "commander";
import { describeFile } from "../artifact-file.js";
import type { ArtifactFile } from "../artifact-file.js";
import type { CliCommand, CliContext } from "../command.js";
import { CommandFailure, UsageError } from "../command-failure.js";
import type { ModelVersion, TensorSpec, Upload } from "../graph-operations.js";
import { keyValue, list, oneOf } from "../option-parsers.js";

const KINDS = ["TENSOR", "CURVE_FORECASTER", "TEXT_EMBEDDER"] as const;
const VALIDATION_POLL_MS = 200;

export interface RegisterOptions {
  model: string;
  kind: (typeof KINDS)[number];
  description?: string;
  file?: string[];
  metric?: Record<string, string>;
  parameter?: Record<string, string>;
}

export const register: CliCommand<RegisterOptions> = {
  usage: "register <onnx>",
  summary: "Upload an ONNX file as a new version of a model, and wait until it is validated.",
  examples: [
    "254carbon register price.onnx --model power_price",
    "254carbon register price.onnx --model power_price --metric rmse=3.2 --parameter trees=200 --file price.onnx.data",
  ],
  configure(command: Command) {
    command
      .requiredOption("--model <name>", "the model that gets the version; registered when it is new")
      .option(
        "--kind <kind>",
        "kind of a new model: tensor, curve-forecaster or text-embedder",
        oneOf(KINDS),
        "TENSOR",
      )
      .option("--description <text>", "description of a new model")
      .option("--file <path>", "a file that the graph expects beside it; repeatable", list)
      .option("--metric <name=value>", "repeatable", keyValue)
      .option("--parameter <name=value>", "repeatable", keyValue);
  },
  async run(context, options, [path]) {
    const graphFile = await describeFile(path!);
    const files = await Promise.all((options.file ?? []).map(describeFile));
    const metrics = numericMetrics(options.metric ?? {});
    await registerWhenAbsent(context, options);
    const number = await uploadVersion(context, options, graphFile, files, metrics);
    const version = await waitForValidation(context, options.model, number);
    if (version.status === "REJECTED") {
      throw new CommandFailure(
        "REJECTED",
        `${options.model} version ${number}: ${version.rejection ?? "no reason given"}`,
      );
    }
    return { data: { model: options.model, ...version }, text: versionText(options.model, version) };
  },
};

function numericMetrics(metrics: Record<string, string>): { name: string; value: number }[] {
  return Object.entries(metrics).map(([name, text]) => {
    const value = Number(text);
    if (text.trim() === "" || !Number.isFinite(value))
      throw new UsageError(`--metric ${name}: "${text}" is no number`);
    return { name, value };
  });
}

async function registerWhenAbsent(
  { graph }: CliContext,
  { model: name, kind, description }: RegisterOptions,
): Promise<void> {
  try {
    const { model } = await graph.execute("model", { name });
    if (model) return;
  } catch (error) {
    if (!(error instanceof CommandFailure) || error.code !== "NOT_FOUND") throw error;
  }
  await graph.execute("register-model", { input: { name, kind, description } });
}

async function uploadVersion(
  { graph, terminal }: CliContext,
  { model, parameter = {} }: RegisterOptions,
  graphFile: ArtifactFile,
  files: ArtifactFile[],
  metrics: { name: string; value: number }[],
): Promise<number> {
  const { createModelVersion: created } = await graph.execute("create-model-version", {
    input: {
      ...{ model, metrics, sha256: graphFile.sha256, bytes: graphFile.bytes },
      parameters: Object.entries(parameter).map(([name, value]) => ({ name, value })),
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

async function waitForValidation({ graph }: CliContext, name: string, number: number): Promise<ModelVersion> {
  for (;;) {
    const { model } = await graph.execute("model-version", { model: name, number });
    if (model?.version && model.version.status !== "PENDING") return model.version;
    await delay(VALIDATION_POLL_MS);
  }
}

function versionText(model: string, { number, status, signature }: ModelVersion): string {
  const lines = [`${model} version ${number}: ${status}`];
  for (const input of signature?.inputs ?? []) lines.push(`  input  ${tensorText(input)}`);
  for (const output of signature?.outputs ?? []) lines.push(`  output ${tensorText(output)}`);
  return lines.join("\n");
}

/** `x: FLOAT32 [?, 3]` */
function tensorText({ name, type, shape }: TensorSpec): string {
  return `${name}: ${type} [${shape.map((size) => size ?? "?").join(", ")}]`;
}
