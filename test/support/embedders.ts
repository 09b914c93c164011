import { wordPieceTokenizer } from "./tokenizers.js";
import { encoder } from "./encoder-models.js";
import type { Platform } from "./platform.js";
import { announce, announcementOf, complete, put, register, validated } from "./registry.js";
import type { VersionState } from "./registry.js";

export interface SettledEmbedder {
  pooling: string;
  normalize: boolean;
  queryPrefix: string;
  passagePrefix: string;
  maxTokens: number;
  dimensions: number;
}

export interface EmbedderVersion extends VersionState {
  /** Null unless it is READY. */
  embedder: SettledEmbedder | null;
}

export interface EmbedderUpload {
  graph?: Uint8Array;
  tokenizer?: Uint8Array;
  /** Files beside these two, by name. */
  files?: Record<string, Uint8Array>;
  /** An `EmbedderInput`. */
  embedder?: object | null;
}

/** Registers a TEXT_EMBEDDER, when it is new, uploads one version of it and waits until it is validated. */
export async function uploadEmbedder(
  platform: Platform,
  model: string,
  { graph = encoder(), tokenizer = wordPieceTokenizer(), files = {}, embedder }: EmbedderUpload = {},
): Promise<EmbedderVersion> {
  await register(platform, { name: model, kind: "TEXT_EMBEDDER" });
  const contents = { "tokenizer.json": tokenizer, ...files };
  const announced = await announce(platform, {
    model,
    ...announcementOf(graph),
    files: Object.entries(contents).map(([name, content]) => ({ name, ...announcementOf(content) })),
    ...(embedder === undefined ? {} : { embedder }),
  });
  if (!announced.data) throw new Error(JSON.stringify(announced.errors));
  const { version, upload, fileUploads } = announced.data.createModelVersion;
  const uploads = [upload, ...fileUploads];
  for (const [i, content] of [graph, ...Object.values(contents)].entries()) {
    const response = await put(uploads[i]!.url, content);
    if (!response.ok) throw new Error(`upload answered ${response.status}: ${await response.text()}`);
  }
  await complete(platform, model, version.number);
  const state = await validated(platform, model, version.number);
  return { ...state, embedder: await settledEmbedder(platform, model, version.number) };
}

async function settledEmbedder(
  platform: Platform,
  model: string,
  number: number,
): Promise<SettledEmbedder | null> {
  const answer = await platform.query<{ model: { version: { embedder: SettledEmbedder | null } } }>(
    `query Embedder($model: String!, $number: Int!) {
      model(name: $model) { version(number: $number) {
        embedder { pooling normalize queryPrefix passagePrefix maxTokens dimensions }
      } }
    }`,
    { model, number },
  );
  return answer.model.version.embedder;
}
