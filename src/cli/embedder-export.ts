import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { CommandFailure } from "./command-failure.js";
import type { EmbedderInput, Pooling } from "./graph-operations.js";

/** Where the files of an export are: a folder, or a repository of a hub. */
export interface ExportFiles {
  /** @returns the local path of a file, or undefined when there is none of that name */
  find(path: string): Promise<string | undefined>;
}

export interface ExportChoice {
  /** Of the graph, in the export. */
  file?: string;
  /** Of the graphs beside each other: `quantized` is model_quantized.onnx. */
  variant?: string;
  /** Files of tensor data that the usual names do not find. */
  data?: string[];
  /** Wins over what the export says. */
  pooling?: Pooling;
}

export interface EmbedderExport {
  /** Path of the graph in the export. */
  graphName: string;
  graph: string;
  /** Local paths of the files beside it. */
  files: string[];
  /** What the export itself says on its use. */
  embedder: EmbedderInput;
  /** What its owner should know. */
  notes: string[];
}

/** Longer texts cost a multiple; whoever wants them says so. */
const USUAL_MAX_TOKENS = 512;
/** These count positions from behind the padding's. */
const OFFSET_POSITIONS = new Set(["roberta", "xlm-roberta", "camembert", "mpnet", "longformer"]);

/** Finds the files of a sentence-transformers or Optimum export and reads how it is to be used. */
export async function readEmbedderExport(files: ExportFiles, choice: ExportChoice): Promise<EmbedderExport> {
  // First, as every export has it: a repository that does not exist says so here.
  const tokenizer = await files.find("tokenizer.json");
  if (tokenizer === undefined) {
    throw new CommandFailure(
      "NOT_FOUND",
      "the export has no tokenizer.json; tokenizers of other formats must be converted first, e.g. by " +
        "AutoTokenizer.from_pretrained(...).save_pretrained(...)",
    );
  }
  const { graphName, graph } = await findGraph(files, choice);
  const data = await findData(files, graphName, choice.data ?? []);
  const notes: string[] = [];
  const settings = await readSettings(files, choice.pooling, notes);
  return { graphName, graph, files: [tokenizer, ...data], embedder: settings, notes };
}

async function findGraph(files: ExportFiles, { file, variant }: ExportChoice) {
  const name = variant === undefined ? "model.onnx" : `model_${variant}.onnx`;
  const candidates = file === undefined ? [`onnx/${name}`, name] : [file];
  for (const graphName of candidates) {
    const graph = await files.find(graphName);
    if (graph !== undefined) return { graphName, graph };
  }
  throw new CommandFailure(
    "NOT_FOUND",
    `the export has no ${candidates.join(" and no ")}; name its ONNX graph with --file, or export one, e.g. by ` +
      "optimum-cli export onnx",
  );
}

/** Tensor data beside the graph, by the names that exporters give it. */
async function findData(files: ExportFiles, graphName: string, named: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const path of named) {
    const file = await files.find(path);
    if (file === undefined) throw new CommandFailure("NOT_FOUND", `the export has no ${path}`);
    found.push(file);
  }
  const add = async (path: string): Promise<boolean> => {
    const file = named.includes(path) ? undefined : await files.find(path);
    if (file !== undefined) found.push(file);
    return file !== undefined;
  };
  if (await add(`${graphName}_data`)) {
    for (let part = 1; await add(`${graphName}_data_${part}`); part++);
  } else await add(`${graphName}.data`);
  return found;
}

async function readSettings(
  files: ExportFiles,
  pooling: Pooling | undefined,
  notes: string[],
): Promise<EmbedderInput> {
  const read = (path: string) => readJson(files, path);
  const [modules, prompts] = [await read("modules.json"), await read("config_sentence_transformers.json")];
  const texts = (prompts?.prompts ?? {}) as Record<string, unknown>;
  const fallback = texts[String(prompts?.default_prompt_name)];
  const prefix = (...names: string[]) => {
    const text = names.map((name) => texts[name]).find((value) => typeof value === "string") ?? fallback;
    return typeof text === "string" ? text : "";
  };
  return {
    pooling: pooling ?? (await readPooling(files, Array.isArray(modules) ? modules : [], notes)),
    normalize: true,
    queryPrefix: prefix("query"),
    passagePrefix: prefix("passage", "document"),
    maxTokens: await readMaxTokens(read, notes),
  };
}

async function readPooling(files: ExportFiles, modules: unknown[], notes: string[]): Promise<Pooling> {
  const steps = modules as { type?: string; path?: string }[];
  const dense = steps.find(({ type }) => type?.endsWith(".Dense"));
  if (dense) {
    notes.push("its vectors pass a Dense step: they are taken as the graph itself pools them (pooling NONE)");
    return "NONE";
  }
  const path = steps.find(({ type }) => type?.endsWith(".Pooling"))?.path ?? "1_Pooling";
  const config = await readJson(files, `${path}/config.json`);
  if (!config) return "MEAN";
  const poolings: Record<string, Pooling> = {
    ...{ pooling_mode_mean_tokens: "MEAN", pooling_mode_cls_token: "CLS", pooling_mode_lasttoken: "LAST" },
    ...{ mean: "MEAN", cls: "CLS", lasttoken: "LAST" },
  };
  const modes = Object.keys(config).filter(
    (name) => name.startsWith("pooling_mode_") && config[name] === true,
  );
  if (typeof config.pooling_mode === "string") modes.push(config.pooling_mode);
  const pooling = modes.length === 1 ? poolings[modes[0]!] : undefined;
  if (pooling) return pooling;
  throw new CommandFailure(
    "UNSUPPORTED",
    `${path}/config.json pools by ${modes.join(" and ") || "nothing"}; mean, cls and last token are supported. ` +
      "--pooling chooses one of them all the same",
    "pooling",
  );
}

async function readMaxTokens(
  read: (path: string) => Promise<Record<string, unknown> | undefined>,
  notes: string[],
): Promise<number | undefined> {
  const config = await read("config.json");
  const offset = OFFSET_POSITIONS.has(String(config?.model_type)) ? 2 : 0;
  const positions = whole(config?.max_position_embeddings);
  const declared =
    whole((await read("sentence_bert_config.json"))?.max_seq_length) ??
    whole((await read("tokenizer_config.json"))?.model_max_length);
  const limits = [declared, positions === undefined ? undefined : positions - offset];
  const known = limits.filter((limit) => limit !== undefined);
  if (known.length === 0) return undefined;
  const most = Math.min(...known);
  if (most <= USUAL_MAX_TOKENS) return most;
  notes.push(
    `it takes texts of ${most} tokens; they are cut at ${USUAL_MAX_TOKENS} unless --max-tokens asks for more`,
  );
  return USUAL_MAX_TOKENS;
}

/** Exporters write 1e30 for "no limit". */
function whole(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0 ? value : undefined;
}

async function readJson(files: ExportFiles, path: string): Promise<Record<string, unknown> | undefined> {
  const file = await files.find(path);
  if (file === undefined) return undefined;
  try {
    const parsed: unknown = JSON.parse(await readFile(file, "utf8"));
    if (typeof parsed === "object" && parsed !== null) return parsed as Record<string, unknown>;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new CommandFailure("UNSUPPORTED", `${path} of the export is not a JSON object`, basename(path));
}
