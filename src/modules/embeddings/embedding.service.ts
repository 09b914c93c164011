import type { InferenceRuntime } from "../../ports/inference-runtime.js";
import { InvalidInputError } from "../../shared/errors.js";
import { reportCacheLookups, reportEmbedded, reportEmbeddingCall } from "../../telemetry/events.js";
import { inSpan } from "../../telemetry/tracing.js";
import type { AnswerStore } from "../caching/index.js";
import type { ServedVersion } from "../models/index.js";
import { EmbeddingBatcher } from "./embedding-batcher.js";
import type { Priority, QueuedText } from "./embedding-batcher.js";
import { EmbeddingCache, embeddingKey } from "./embedding-cache.js";
import type { TextEmbedding } from "./embedding-cache.js";
import { LoadedEncoders } from "./loaded-encoders.js";
import type { LoadedEncoder } from "./loaded-encoders.js";
import type { Passage } from "./passages.rules.js";
import { SharedEmbeddings } from "./shared-embeddings.js";
import type { WantedText } from "./shared-embeddings.js";
import type { EncodedText } from "./text-tokenizer.rules.js";
import { TextTokenizers } from "./text-tokenizers.js";
import type { PassageSource } from "./tokenizer-task.rules.js";

export type TextRole = "QUERY" | "PASSAGE";

export interface EmbedOptions {
  /** Picks the prefix that the model wants. */
  role: TextRole;
  /** Interactive texts go before all bulk ones. */
  priority: Priority;
  /** false: a text beyond the model's length is an error; true by default. */
  truncate?: boolean;
  /** A caller that goes away; what nobody else wants is not computed any more. */
  signal?: AbortSignal;
  /** Whether to ask, and fill, the vectors that are kept; by default interactive calls do. */
  cache?: boolean;
}

export interface SplitOptions {
  /** Tokens that a passage has in common with the one before it, at most; an eighth of a passage by default. */
  overlap?: number;
}

/** Turns texts into vectors. */
export class EmbeddingService {
  private readonly encoders: LoadedEncoders;
  private readonly batcher: EmbeddingBatcher;
  private readonly cache: EmbeddingCache;
  private readonly shared = new SharedEmbeddings();
  private readonly tokenizers = new TextTokenizers();

  /** @param vectors keeps those of interactive calls */
  constructor(runtime: InferenceRuntime, vectors: AnswerStore) {
    this.encoders = new LoadedEncoders(runtime);
    this.batcher = new EmbeddingBatcher(runtime);
    this.cache = new EmbeddingCache(vectors);
  }

  /**
   * @param texts neither empty nor with halves of characters
   * @returns in the order of the texts
   * @throws {InvalidInputError} naming input.texts.N when that text is too long and may not be cut, or input.model
   * when the version is no embedder
   * @throws {OverloadedError} for interactive texts when too many calls wait
   */
  async embed(
    version: ServedVersion,
    texts: readonly string[],
    options: EmbedOptions,
  ): Promise<TextEmbedding[]> {
    const start = performance.now();
    options.signal?.throwIfAborted();
    const { name: model } = version.model;
    return inSpan("embed", { model, version: version.version.number, texts: texts.length }, async () => {
      const encoder = await this.encoders.of(version);
      const { queryPrefix, passagePrefix } = encoder.options;
      const prefix = options.role === "QUERY" ? queryPrefix : passagePrefix;
      const prefixed = prefix === "" ? texts : texts.map((text) => prefix + text);
      if (options.truncate === false) await this.assertFit(encoder, prefixed, options.priority);
      const embeddings = await this.embedPrefixed(model, encoder, prefixed, options);
      reportEmbeddingCall({ priority: options.priority, seconds: (performance.now() - start) / 1000 });
      return embeddings;
    });
  }

  /**
   * Cuts documents into passages that the model takes whole: sentences stay whole where they fit, passages
   * overlap, and together they cover the text. A short text is one passage, one of white space none.
   * `lead` is counted to every passage, since it is embedded before it: `${lead}\n${passage}`.
   */
  async split(
    version: ServedVersion,
    documents: readonly PassageSource[],
    options: SplitOptions = {},
  ): Promise<Passage[][]> {
    const { tokenizer, options: embedder } = await this.encoders.of(version);
    const { passagePrefix: prefix, maxTokens } = embedder;
    return this.tokenizers.split(tokenizer, documents, { prefix, maxTokens, ...options });
  }

  close(): Promise<void> {
    return this.tokenizers.close();
  }

  private async assertFit(
    { tokenizer, options }: LoadedEncoder,
    texts: readonly string[],
    priority: Priority,
  ): Promise<void> {
    const encoded = await this.tokenizers.encode(tokenizer, texts, options.maxTokens, priority);
    const long = encoded.texts.findIndex(({ truncated }) => truncated);
    if (long < 0) return;
    const count = await this.tokenizers.count(tokenizer, texts[long]!);
    throw InvalidInputError.at(
      `input.texts.${long}`,
      `has ${count} tokens, more than the ${options.maxTokens} that the model takes; truncate: true cuts it off`,
    );
  }

  private async embedPrefixed(
    model: string,
    encoder: LoadedEncoder,
    texts: readonly string[],
    { priority, signal, cache = priority === "interactive" }: EmbedOptions,
  ): Promise<TextEmbedding[]> {
    const wanted = texts.map((text) => ({ key: embeddingKey(encoder.key, text), text }));
    let fresh = 0;
    const found = this.shared.get(wanted, priority, signal, async (ours) => {
      fresh = ours.length;
      const missing = cache ? await this.withoutKnown(ours) : ours;
      if (missing.length > 0) await this.compute(model, encoder, missing, priority, cache);
    });
    if (cache) reportCacheLookups("embedding", { shared: texts.length - fresh });
    return found;
  }

  /** Looked up only by the one who would compute: who asks for the same meanwhile waits for either. */
  private async withoutKnown(texts: readonly WantedText[]): Promise<WantedText[]> {
    const known = await Promise.all(texts.map(({ key }) => this.cache.get(key)));
    known.forEach((embedding, i) => embedding && texts[i]!.resolve(embedding));
    const missing = texts.filter((_, i) => !known[i]);
    reportCacheLookups("embedding", { hit: texts.length - missing.length, miss: missing.length });
    return missing;
  }

  private async compute(
    model: string,
    encoder: LoadedEncoder,
    fresh: readonly WantedText[],
    priority: Priority,
    cache: boolean,
  ): Promise<void> {
    const { tokenizer, options } = encoder;
    const texts = fresh.map(({ text }) => text);
    const encoded = await this.tokenizers.encode(tokenizer, texts, options.maxTokens, priority);
    const queued = fresh.map((wanted, i) => toQueued(wanted, encoded.texts[i]!, encoded.paddingId));
    let tokens = 0;
    for (const { length } of queued) tokens += length;
    reportEmbedded(model, { priority, texts: texts.length, tokens });
    if (cache) for (const wanted of fresh) wanted.onResult = (value) => this.cache.set(wanted.key, value);
    // Nothing to run: a graph of no tokens has no answer, and a vector of zeros is near to nothing.
    for (const text of queued) if (text.length === 0) text.resolve(new Float32Array(options.dimensions));
    const runnable = queued.filter(({ length }) => length > 0);
    if (runnable.length > 0) this.batcher.add(encoder, runnable, priority);
  }
}

/** Goes on saying whether the text is still wanted. */
function toQueued(wanted: WantedText, { ids, truncated }: EncodedText, paddingId: number): QueuedText {
  return {
    ids,
    paddingId,
    length: ids.length,
    get abandoned() {
      return wanted.abandoned;
    },
    resolve: (vector) => wanted.resolve({ vector, tokens: ids.length, truncated }),
    reject: (error) => wanted.reject(error),
  };
}
