import { dirname, join } from "node:path";
import { LRUCache } from "lru-cache";
import type { InferenceRuntime } from "../../ports/inference-runtime.js";
import { InvalidInputError } from "../../shared/errors.js";
import type { ServedVersion } from "../models/index.js";
import type { BatchedEncoder } from "./embedding-batcher.js";
import { describeEncoder } from "./encoder-signature.rules.js";
import type { TokenizerFile } from "./tokenizer-thread.js";

/** A version of a TEXT_EMBEDDER, ready to embed. */
export interface LoadedEncoder extends BatchedEncoder {
  tokenizer: TokenizerFile;
}

const TOKENIZER_FILE = "tokenizer.json";
const MOST_REMEMBERED = 100;
/** Of a graph that refuses the smallest inputs. */
const UNKNOWN_MS = 1;

/** What is known of each version once it is loaded. */
export class LoadedEncoders {
  private readonly known = new LRUCache<string, Promise<LoadedEncoder>>({ max: MOST_REMEMBERED });

  constructor(private readonly runtime: InferenceRuntime) {}

  /** @throws {InvalidInputError} naming input.model when the version is no embedder */
  of(served: ServedVersion): Promise<LoadedEncoder> {
    const known = this.known.get(served.version.id);
    if (known) return known;
    const loading = this.load(served);
    this.known.set(served.version.id, loading);
    loading.catch(() => this.known.delete(served.version.id));
    return loading;
  }

  private async load({ model, version, signature, source }: ServedVersion): Promise<LoadedEncoder> {
    const options = version.embedder;
    const file = version.files.find(({ name }) => name === TOKENIZER_FILE);
    if (!options || !file) {
      throw InvalidInputError.at("input.model", `"${model.name}" is a ${model.kind}, not a TEXT_EMBEDDER`);
    }
    const encoder = describeEncoder(signature, options);
    const { rowsIndependent, warmRunMs } = await this.runtime.warm(source);
    return {
      key: version.id,
      source,
      encoder,
      options,
      mayBatch: rowsIndependent && encoder.masked,
      msPerToken: warmRunMs ?? UNKNOWN_MS,
      tokenizer: { key: file.sha256, path: join(dirname(source.path), TOKENIZER_FILE), bytes: file.bytes },
    };
  }
}
