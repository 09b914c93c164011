import type { EmbedderOptions } from "../../../shared/embedder-options.js";

export interface EmbedderTrainingOptions {
  /** Width of the vectors, 8 to 1024; reduced to what the texts carry. */
  dimensions: number;
  /** The same seed and texts give the same embedder. */
  seed: number;
  /** Name of a PostgreSQL text search configuration, e.g. "english": decides how words are reduced to stems. */
  language: string;
}

export interface NamedNumber {
  name: string;
  value: number;
}

export interface NamedText {
  name: string;
  value: string;
}

/** A text embedder that needs nothing but its two files. */
export interface TrainedEmbedder {
  /** ONNX: input_ids and attention_mask int64 [batch, sequence] to sentence_embedding float32 [batch, dimensions]. */
  graph: Uint8Array;
  /** tokenizer.json in Hugging Face's format. */
  tokenizer: Uint8Array;
  options: EmbedderOptions;
  metrics: NamedNumber[];
  parameters: NamedText[];
}

/** @param fraction 0 to 1, never less than before */
export type ReportProgress = (fraction: number, message: string) => void;
