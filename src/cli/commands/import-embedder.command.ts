import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import type { Command } from "commander";
import { describeFile } from "../artifact-file.js";
import type { CliCommand, CliContext } from "../command.js";
import { CommandFailure, UsageError } from "../command-failure.js";
import { readEmbedderExport } from "../embedder-export.js";
import type { EmbedderExport, ExportFiles } from "../embedder-export.js";
import { readEnvironment } from "../environment.js";
import type { EmbedderInput, ImportedVersion, ModelVersion, Pooling } from "../graph-operations.js";
import { HubRepository } from "../hub-repository.js";
import { readModel } from "../known-model.js";
import { count, list, oneOf } from "../option-parsers.js";
import { registerWhenAbsent, uploadVersion } from "../upload-version.js";

const DEFAULT_HUB = "https://huggingface.co";
const DEFAULT_MAX_BYTES = 4 * 2 ** 30;
const REPOSITORY = /^[A-Za-z0-9_][\w.-]*\/[A-Za-z0-9_][\w.-]*$/;
const REVISION = /^(?!.*\.\.)[\w][\w./-]*$/;
/** Parameter of a version that says of what bytes and options it was made. */
const DIGEST_PARAMETER = "import_sha256";
const POOLING = oneOf(["MEAN", "CLS", "LAST", "NONE"]);
const HELP =
  "\nRead from the export: model.onnx or onnx/model.onnx with its data, tokenizer.json, the pooling, the prompts and" +
  "\nthe longest text of sentence-transformers. HF_TOKEN opens private and gated models.";

export interface ImportEmbedderOptions {
  model?: string;
  revision: string;
  variant?: string;
  file?: string;
  data?: string[];
  pooling?: Pooling;
  normalize: boolean;
  queryPrefix?: string;
  passagePrefix?: string;
  maxTokens?: number;
  dimensions?: number;
  promote: boolean;
  hub?: string;
  cache?: string;
  maxBytes: number;
}

/** An export and where it comes from. */
interface Origin {
  files: ExportFiles;
  /** The last part of its path, what the model is named after. */
  name: string;
  /** Facts that are kept with the version; asked for when all files have been read. */
  facts(): { name: string; value: string }[];
}

export const importEmbedder: CliCommand<ImportEmbedderOptions> = {
  usage: "import-embedder <source>",
  summary:
    "Import a text embedder from a folder (a sentence-transformers or Optimum export) or from the hub (ORG/NAME), " +
    "and put it into production.",
  examples: [
    "254carbon import-embedder ./all-MiniLM-L6-v2",
    "254carbon import-embedder sentence-transformers/all-MiniLM-L6-v2",
    '254carbon import-embedder intfloat/e5-small-v2 --query-prefix "query: " --passage-prefix "passage: "',
    "254carbon import-embedder Xenova/bge-small-en-v1.5 --variant quantized --pooling cls --no-promote",
  ],
  configure(command: Command) {
    command
      .option("--model <name>", "the model that gets the version (default: named after the source)")
      .option("--no-promote", "leave in production what is there")
      .option("--variant <name>", "the graph model_NAME.onnx instead of model.onnx, e.g. quantized or fp16")
      .option("--file <path>", "the graph, by its path in the export")
      .option("--data <path>", "a file of tensor data that the graph wants beside it; repeatable", list)
      .addHelpText("after", HELP);
    command
      .option(
        "--pooling <kind>",
        "mean, cls, last or none (default: what the export says, else mean)",
        POOLING,
      )
      .option("--no-normalize", "leave the vectors at the length that the graph gives them")
      .option("--query-prefix <text>", "put before every query (default: the export's prompt)")
      .option("--passage-prefix <text>", "put before every passage (default: the export's prompt)")
      .option("--max-tokens <count>", "where texts are cut (default: what the export says, up to 512)", count)
      .option("--dimensions <count>", "keep only the first ones (Matryoshka models)", count);
    command
      .option("--revision <name>", "branch, tag or commit on the hub", "main")
      .option("--hub <url>", `where the hub answers (ML_HUB_URL; default ${DEFAULT_HUB})`)
      .option("--cache <folder>", "where downloads are kept (default: 254carbon/hub in the user's cache)")
      .option("--max-bytes <count>", "largest download, all files together", count, DEFAULT_MAX_BYTES);
  },
  async run(context, options, [source]) {
    const origin = await locate(context, source!, options);
    const found = await readEmbedderExport(origin.files, options);
    for (const note of found.notes) context.terminal.note(`note: ${note}`);
    const model = options.model ?? modelName(origin.name);
    const embedder = withOptions(found.embedder, options);
    const { version, existed } = await uploadOnce(context, model, { ...found, embedder }, origin.facts());
    const promoted = options.promote && version.stage !== "PRODUCTION";
    if (promoted) {
      const input = { model, number: version.number, stage: "PRODUCTION" };
      await context.graph.execute("promote-model-version", { input });
    }
    const result = { ...version, stage: promoted ? "PRODUCTION" : version.stage };
    return {
      data: { model, ...result, existed, promoted },
      text: resultText(model, result, existed),
    };
  },
};

/** An existing folder wins over a repository of the same name. */
async function locate(
  { terminal }: CliContext,
  source: string,
  options: ImportEmbedderOptions,
): Promise<Origin> {
  const there = await stat(source).catch(() => undefined);
  if (there?.isDirectory()) {
    const name = basename(resolve(source));
    const find = (path: string) => findInFolder(source, path);
    return { files: { find }, name, facts: () => [{ name: "source", value: name }] };
  }
  if (there) throw new UsageError(`${source} is a file; name the folder of the export`);
  if (!REPOSITORY.test(source)) throw new UsageError(`${source} is no folder, and no ORG/NAME on the hub`);
  const { hubUrl, hubToken, cacheHome } = readEnvironment();
  const hub = (options.hub ?? hubUrl ?? DEFAULT_HUB).replace(/\/+$/, "");
  if (!URL.canParse(hub) || !/^https?:/.test(hub)) throw new UsageError(`"${hub}" is no http or https URL`);
  if (!REVISION.test(options.revision))
    throw new UsageError(`--revision: "${options.revision}" cannot be one`);
  const repository = new HubRepository({
    ...{ hub, repository: source, revision: options.revision, token: hubToken, maxBytes: options.maxBytes },
    cache: options.cache ?? join(cacheHome, "254carbon", "hub"),
    progress: (label) => terminal.progress(label),
  });
  return {
    files: { find: (path) => repository.find(within(path)) },
    name: source.split("/")[1]!,
    facts: () => [
      { name: "source", value: repository.source },
      { name: "revision", value: repository.revision },
    ],
  };
}

async function findInFolder(folder: string, path: string): Promise<string | undefined> {
  const file = join(folder, within(path));
  const found = await stat(file).catch(() => undefined);
  return found?.isFile() ? file : undefined;
}

/** Paths come from files of the export, too: none may lead out of it. */
function within(path: string): string {
  if (path.split("/").some((part) => part === "" || part === "." || part === "..") || path.includes("\\"))
    throw new CommandFailure("INVALID_INPUT", `"${path}" is no path of a file in the export`);
  return path;
}

function modelName(source: string): string {
  const name = source.toLowerCase().replace(/[^a-z0-9_-]+/g, "-");
  return name.replace(/^-+|-+$/g, "").slice(0, 64);
}

function withOptions(embedder: EmbedderInput, options: ImportEmbedderOptions): EmbedderInput {
  const { queryPrefix, passagePrefix, maxTokens, normalize, dimensions } = options;
  return {
    ...embedder,
    normalize,
    dimensions,
    queryPrefix: queryPrefix ?? embedder.queryPrefix,
    passagePrefix: passagePrefix ?? embedder.passagePrefix,
    maxTokens: maxTokens ?? embedder.maxTokens,
  };
}

/** The version of exactly these bytes and options, uploaded unless it is there. */
async function uploadOnce(
  context: CliContext,
  model: string,
  found: EmbedderExport,
  facts: { name: string; value: string }[],
): Promise<{ version: ModelVersion; existed: boolean }> {
  const [graph, ...files] = await Promise.all([found.graph, ...found.files].map(describeFile));
  const { embedder } = found;
  const content = [graph!, ...files].map(({ name, sha256 }) => ({ name, sha256 }));
  const digest = digestOf([content, embedder]);
  const same = (await versionsOf(context, model)).filter(({ parameters }) =>
    parameters.some(({ name, value }) => name === DIGEST_PARAMETER && value === digest),
  );
  const ready = same.find(({ status }) => status === "READY");
  if (ready) {
    const answer = await context.graph.execute("model-version", { model, number: ready.number });
    return { version: answer.model!.version!, existed: true };
  }
  await registerWhenAbsent(context, { name: model, kind: "TEXT_EMBEDDER" });
  const rejected = same.filter(({ status }) => status === "REJECTED").length;
  const parameters = [
    ...facts,
    { name: "graph", value: found.graphName },
    { name: DIGEST_PARAMETER, value: digest },
  ];
  // An upload that was interrupted goes on; what was rejected may be tried anew.
  const idempotencyKey = `import-embedder ${digestOf([model, parameters, rejected])}`;
  const upload = { model, graph: graph!, files, embedder, parameters, idempotencyKey };
  return { version: await uploadVersion(context, upload), existed: false };
}

function digestOf(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex");
}

/** @throws {CommandFailure} when the model is there and is no embedder */
async function versionsOf(context: CliContext, name: string): Promise<ImportedVersion[]> {
  const model = await readModel(context, name);
  if (model && model.kind !== "TEXT_EMBEDDER") {
    throw new CommandFailure(
      "CONFLICT",
      `${name} is a ${model.kind} model; name another with --model`,
      "model",
    );
  }
  return model?.versions ?? [];
}

function resultText(model: string, { number, stage, embedder }: ModelVersion, existed: boolean): string {
  const where = stage === "PRODUCTION" ? "in production" : "READY, not in production";
  const lines = [`${model} version ${number}: ${existed ? "was there already, " : ""}${where}`];
  if (embedder) {
    const { pooling, normalize, maxTokens, dimensions, queryPrefix, passagePrefix } = embedder;
    lines.push(
      `  ${dimensions} dimensions, pooling ${pooling}${normalize ? ", normalized" : ""}, texts up to ${maxTokens} tokens`,
    );
    if (queryPrefix) lines.push(`  before queries   ${JSON.stringify(queryPrefix)}`);
    if (passagePrefix) lines.push(`  before passages  ${JSON.stringify(passagePrefix)}`);
  }
  return lines.join("\n");
}
