import type { Answer, Platform } from "./platform.js";
import { eventually } from "./platform.js";
import { encoder, tinyShape } from "./encoder-models.js";
import { uploadEmbedder } from "./embedders.js";

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
): Promise<Answer<{ reindexCollection: { job: { id: string; kind: string; state: string }; cursor: string } }>> {
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
