import type { Command } from "commander";
import { describeFile } from "../artifact-file.js";
import type { CliCommand } from "../command.js";
import { UsageError } from "../command-failure.js";
import type { ModelKind, ModelVersion, TensorSpec } from "../graph-operations.js";
import { keyValue, list, oneOf } from "../option-parsers.js";
import { registerWhenAbsent, uploadVersion } from "../upload-version.js";

const KINDS: ModelKind[] = ["TENSOR", "CURVE_FORECASTER", "TEXT_EMBEDDER"];

export interface RegisterOptions {
  model: string;
  kind: ModelKind;
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
    const graph = await describeFile(path!);
    const files = await Promise.all((options.file ?? []).map(describeFile));
    const metrics = numericMetrics(options.metric ?? {});
    const { model, kind, description, parameter = {} } = options;
    await registerWhenAbsent(context, { name: model, kind, description });
    const parameters = Object.entries(parameter).map(([name, value]) => ({ name, value }));
    const version = await uploadVersion(context, { model, graph, files, metrics, parameters });
    return { data: { model, ...version }, text: versionText(model, version) };
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
