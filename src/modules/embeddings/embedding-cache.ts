import { createHash } from "node:crypto";
import type { AnswerStore } from "../caching/index.js";

/** One text, embedded. */
export interface TextEmbedding {
  /** [dimensions] */
  vector: Float32Array;
  /** Tokens that the graph was given, special ones included. */
  tokens: number;
  /** Whether the text has more of them than the model takes. */
  truncated: boolean;
}

/** Of what is written; another number for another form. */
const SCHEMA = 1;
/** Tokens and whether it was cut, each of four bytes, before the vector. */
const HEAD_BYTES = 8;

/** Vectors of texts that were asked for lately, here or by another process. */
export class EmbeddingCache {
  constructor(private readonly store: AnswerStore) {}

  async get(key: string): Promise<TextEmbedding | undefined> {
    const bytes = await this.store.cache.get(`embedding:${SCHEMA}:${key}`);
    return bytes && decode(bytes);
  }

  set(key: string, embedding: TextEmbedding): void {
    void this.store.cache.set(`embedding:${SCHEMA}:${key}`, encode(embedding), this.store.seconds);
  }
}

/** Identity of a text as a version embeds it. @param text with the prefix of its role */
export function embeddingKey(versionId: string, text: string): string {
  return `${versionId}:${createHash("sha256").update(text).digest("base64")}`;
}

function encode({ vector, tokens, truncated }: TextEmbedding): Uint8Array {
  const bytes = new Uint8Array(HEAD_BYTES + vector.byteLength);
  new Uint32Array(bytes.buffer, 0, 2).set([tokens, truncated ? 1 : 0]);
  bytes.set(new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength), HEAD_BYTES);
  return bytes;
}

/** Undefined for what is none. */
function decode(bytes: Uint8Array): TextEmbedding | undefined {
  if (bytes.byteLength < HEAD_BYTES || bytes.byteLength % 4 !== 0) return undefined;
  // A copy begins where numbers of four bytes may begin, and is the caller's own; `slice` of a Buffer is none.
  const { buffer } = new Uint8Array(bytes);
  const [tokens, truncated] = new Uint32Array(buffer, 0, 2);
  return { vector: new Float32Array(buffer, HEAD_BYTES), tokens: tokens!, truncated: truncated === 1 };
}
