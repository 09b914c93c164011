import { readFile, stat } from "node:fs/promises";
import { parse } from "yaml";
import { readOnnxFile } from "../../shared/onnx-file.js";
import { UnservableGraphError } from "../../shared/unservable-graph-error.js";
import { describeFile } from "../artifact-file.js";
import type { ArtifactFile } from "../artifact-file.js";
import { exportHint } from "./export-hints.js";
import type { ArtifactFolder } from "./mlflow-estate.js";

/** What the folder of a version holds: an ONNX graph, or something that must be exported first. */
export type ArtifactContents =
  { kind: "ONNX"; graphName: string } | { kind: "OTHER"; flavours: string[]; hint: string };

export interface OnnxFiles {
  graph: ArtifactFile;
  /** Tensor data beside the graph, by the names that it asks for. */
  files: ArtifactFile[];
}

/** The graph is there but cannot be taken, with the reason. */
export class UnusableGraph extends Error {
  override readonly name = "UnusableGraph";
}

const MODEL_FILE = "MLmodel";
/** Written by MLflow, a page or two; with an input example in it, more. */
const MOST_BYTES = 4 * 2 ** 20;

/** Reads MLflow's own description, and nothing of the weights. */
export async function inspectArtifact(folder: ArtifactFolder): Promise<ArtifactContents> {
  const path = await folder.find(MODEL_FILE);
  if (path === undefined) {
    const graphs = (await folder.names()).filter((name) => name.endsWith(".onnx"));
    if (graphs.length === 1) return { kind: "ONNX", graphName: graphs[0]! };
    return { kind: "OTHER", flavours: [], hint: exportHint([]) };
  }
  const flavours = await readFlavours(path);
  const data = flavours.onnx?.data;
  if (flavours.onnx) return { kind: "ONNX", graphName: typeof data === "string" ? data : "model.onnx" };
  const names = Object.keys(flavours);
  const loader = flavours.python_function?.loader_module;
  return {
    kind: "OTHER",
    flavours: names,
    hint: exportHint(names, typeof loader === "string" ? loader : undefined),
  };
}

/** @throws {UnusableGraph} */
export async function readOnnxFiles(folder: ArtifactFolder, graphName: string): Promise<OnnxFiles> {
  const path = await folder.find(graphName);
  if (path === undefined)
    throw new UnusableGraph(`MLflow names the graph ${graphName}, but the file is not there`);
  const place = graphName.slice(0, graphName.lastIndexOf("/") + 1);
  const files: ArtifactFile[] = [];
  for (const name of externalFiles(path)) {
    const data = await folder.find(`${place}${name}`);
    if (data === undefined)
      throw new UnusableGraph(`the graph wants tensor data from ${name}, which is not beside it`);
    files.push({ ...(await describeFile(data)), name });
  }
  return { graph: await describeFile(path), files };
}

function externalFiles(path: string): Set<string> {
  try {
    return readOnnxFile(path).externalFiles;
  } catch (error) {
    if (error instanceof UnservableGraphError) throw new UnusableGraph(error.message);
    throw error;
  }
}

async function readFlavours(path: string): Promise<Record<string, Record<string, unknown> | undefined>> {
  if ((await stat(path)).size > MOST_BYTES) throw new UnusableGraph(`its ${MODEL_FILE} has more than 4 MiB`);
  try {
    const parsed: unknown = parse(await readFile(path, "utf8"), { schema: "failsafe" });
    const flavours = (parsed as { flavors?: unknown } | null)?.flavors;
    if (typeof flavours === "object" && flavours !== null) {
      return flavours as Record<string, Record<string, unknown> | undefined>;
    }
  } catch (error) {
    throw new UnusableGraph(`its ${MODEL_FILE} is not YAML: ${(error as Error).message}`);
  }
  throw new UnusableGraph(`its ${MODEL_FILE} names no flavors`);
}
