import { createHash } from "node:crypto";
import { LRUCache } from "lru-cache";

/** One text, embedded. */
export interface TextEmbedding {
  /** [dimensions] */
  vector: Float32Array;
  /** Tokens that the graph was given, special ones included. */
  tokens: number;
  /** Whether the text has more of them than the model takes. */
  truncated: boolean;
}

/** Key, map and object around each vector. */
const OVERHEAD_BYTES = 300;

/** Vectors of texts that were asked for lately. */
export class EmbeddingCache {
  private readonly kept: LRUCache<string, TextEmbedding> | undefined;

  /** @param bytes 0 keeps nothing */
  constructor(bytes: number) {
    if (bytes === 0) return;
    const sizeCalculation = ({ vector }: TextEmbedding) => vector.byteLength + OVERHEAD_BYTES;
    this.kept = new LRUCache({ maxSize: bytes, sizeCalculation });
  }

  get(key: string): TextEmbedding | undefined {
    return this.kept?.get(key);
  }

  set(key: string, embedding: TextEmbedding): void {
    this.kept?.set(key, embedding);
  }
}

/** Identity of a text as a version embeds it. @param text with the prefix of its role */
export function embeddingKey(versionId: string, text: string): string {
  return `${versionId}:${createHash("sha256").update(text).digest("base64")}`;
}
