import type { EmbedderRequest, Pooling } from "../../shared/embedder-options.js";
import { InvalidInputError } from "../../shared/errors.js";
import type { ModelKind } from "./model.entity.js";

/** The tokenizer of a TEXT_EMBEDDER, among the files of its version. */
export const TOKENIZER_FILE = "tokenizer.json";

/** As a caller gives them; null means absent. */
export interface EmbedderInputValues {
  pooling: Pooling;
  normalize?: boolean | null;
  queryPrefix?: string | null;
  passagePrefix?: string | null;
  maxTokens?: number | null;
  dimensions?: number | null;
}

const LONGEST_PREFIX = 500;
const MOST_TOKENS = 32_768;
/** What an HNSW index over half-precision vectors takes. */
const MOST_DIMENSIONS = 4_000;
/** Of a multilingual vocabulary with 250,000 entries it has 17 MB. */
const MOST_TOKENIZER_BYTES = 64 * 2 ** 20;

/**
 * Options belong to a TEXT_EMBEDDER, which needs its tokenizer.
 * @throws {InvalidInputError}
 */
export function assertEmbedder(
  kind: ModelKind,
  embedder: EmbedderInputValues | null | undefined,
  files: readonly { name: string; bytes: number }[],
): void {
  if (kind !== "TEXT_EMBEDDER") {
    if (embedder) throw InvalidInputError.at("input.embedder", `only a TEXT_EMBEDDER has one, not a ${kind}`);
    return;
  }
  const tokenizer = files.findIndex(({ name }) => name === TOKENIZER_FILE);
  if (tokenizer < 0) {
    throw InvalidInputError.at(
      "input.files",
      `a TEXT_EMBEDDER needs its ${TOKENIZER_FILE}: announce it among the files`,
    );
  }
  if (files[tokenizer]!.bytes > MOST_TOKENIZER_BYTES)
    throw InvalidInputError.at(`input.files.${tokenizer}.bytes`, `at most ${MOST_TOKENIZER_BYTES}`);
  if (embedder) assertOptions(embedder);
}

function assertOptions({ queryPrefix, passagePrefix, maxTokens, dimensions }: EmbedderInputValues): void {
  for (const [name, prefix] of Object.entries({ queryPrefix, passagePrefix })) {
    if ((prefix?.length ?? 0) > LONGEST_PREFIX)
      throw InvalidInputError.at(`input.embedder.${name}`, `at most ${LONGEST_PREFIX} characters`);
  }
  assertRange("maxTokens", maxTokens, MOST_TOKENS);
  assertRange("dimensions", dimensions, MOST_DIMENSIONS);
}

function assertRange(name: string, value: number | null | undefined, most: number): void {
  if (value != null && (value < 1 || value > most))
    throw InvalidInputError.at(`input.embedder.${name}`, `must be from 1 to ${most}`);
}

export function toEmbedderRequest(embedder: EmbedderInputValues | null | undefined): EmbedderRequest {
  return {
    pooling: embedder?.pooling ?? null,
    normalize: embedder?.normalize ?? true,
    queryPrefix: embedder?.queryPrefix ?? "",
    passagePrefix: embedder?.passagePrefix ?? "",
    maxTokens: embedder?.maxTokens ?? null,
    dimensions: embedder?.dimensions ?? null,
  };
}
