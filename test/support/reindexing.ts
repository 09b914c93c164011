import type { Answer, Platform } from "./platform.js";
import { eventually } from "./platform.js";
import { encoder, tinyShape } from "./encoder-models.js";
import { uploadEmbedder } from "./embedders.js";
import { OnnxGraph, OnnxType } from "../../src/shared/onnx-graph.js";
import { smallVocabulary } from "./tokenizers.js";

export interface CollectionState {
  embedder: { number: number; model: { name: string } } | null;
  embedderModel: { name: string } | null;
  reindex: { id: string; state: string } | null;
  documentCount: number;
  pendingCount: number;
}

const COLLECTION = `
  embedder { number model { name } } embedderModel { name } reindex { id state } documentCount pendingCount`;

export async function collectionState(platform: Platform, name: string): Promise<CollectionState> {
  const { collection } = await platform.query<{ collection: CollectionState }>(
    `query State($name: String!) { collection(name: $name) { ${COLLECTION} } }`,
    { name },
  );
  return collection;
}

/** The collection once this version of a model answers its searches. */
export function servedBy(
  platform: Platform,
  name: string,
  model: string,
  number: number,
  timeoutMs?: number,
): Promise<CollectionState> {
  return eventually(
    () => collectionState(platform, name),
    ({ embedder }) => embedder?.number === number && embedder.model.name === model,
    timeoutMs,
  );
}

export function setEmbedder(
  platform: Platform,
  input: Record<string, unknown>,
): Promise<Answer<{ setCollectionEmbedder: { collection: CollectionState } }>> {
  return platform.ask(
    `mutation Set($input: SetCollectionEmbedderInput!) {
      setCollectionEmbedder(input: $input) { collection { ${COLLECTION} } }
    }`,
    { input },
  );
}

export function reindex(
  platform: Platform,
  input: Record<string, unknown>,
): Promise<
  Answer<{ reindexCollection: { job: { id: string; kind: string; state: string }; cursor: string } }>
> {
  return platform.ask(
    `mutation Reindex($input: ReindexCollectionInput!) {
      reindexCollection(input: $input) { job { id kind state } cursor }
    }`,
    { input },
  );
}

/** Uploads a version of an embedder with random weights. */
export async function uploadRandomEmbedder(
  platform: Platform,
  model: string,
  { seed = 1, width = 32, layers = 1 } = {},
): Promise<number> {
  const graph = encoder({ ...tinyShape, width, layers, intermediate: 2 * width }, { seed });
  return (await uploadEmbedder(platform, model, { graph })).number;
}

/** Uploads a version that embeds anything but texts with this word: the graph fails on its token. */
export async function uploadBrittleEmbedder(
  platform: Platform,
  model: string,
  word: string,
): Promise<number> {
  const graph = new OnnxGraph("brittle");
  const ids = graph.input("input_ids", OnnxType.INT64, ["batch", "sequence"]);
  graph.input("attention_mask", OnnxType.INT64, ["batch", "sequence"]);
  const forbidden = graph.int64([], [smallVocabulary().indexOf(word)]);
  const found = graph.node("Cast", [graph.node("Equal", [ids, forbidden])], { to: { int: OnnxType.INT64 } });
  const beyond = graph.node("Add", [ids, graph.node("Mul", [found, graph.int64([], [100_000])])]);
  const [rows, width] = [smallVocabulary().length, 8];
  const table = Array.from({ length: rows * width }, (_, i) => Math.sin(i));
  graph.node("Gather", [graph.float32([rows, width], table), beyond], {}, { outputs: ["last_hidden_state"] });
  graph.output("last_hidden_state", OnnxType.FLOAT32, ["batch", "sequence", width]);
  const { number, status, rejection } = await uploadEmbedder(platform, model, { graph: graph.encode() });
  if (status !== "READY") throw new Error(rejection ?? status);
  return number;
}

export async function cancelJob(platform: Platform, job: string): Promise<void> {
  await platform.query("mutation Cancel($job: ID!) { cancelJob(input: { job: $job }) { cursor } }", { job });
}

export function retryJob(platform: Platform, job: string): Promise<Answer<unknown>> {
  return platform.ask("mutation Retry($job: ID!) { retryJob(input: { job: $job }) { cursor } }", { job });
}
