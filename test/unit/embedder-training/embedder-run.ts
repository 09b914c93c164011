import { InferenceSession, Tensor } from "onnxruntime-node";
import { TextTokenizer } from "../../../src/modules/embeddings/text-tokenizer.rules.js";
import type { TrainedEmbedder } from "../../../src/modules/embeddings/training/train-embedder-in-thread.js";

/** A trained embedder as it is used: the ids of its tokenizer through its graph. */
export class EmbedderRun {
  private constructor(
    readonly tokenizer: TextTokenizer,
    private readonly session: InferenceSession,
    private readonly maxTokens: number,
  ) {}

  static async open({ graph, tokenizer, options }: TrainedEmbedder): Promise<EmbedderRun> {
    const content = new TextDecoder().decode(tokenizer);
    return new EmbedderRun(
      new TextTokenizer(content),
      await InferenceSession.create(graph),
      options.maxTokens,
    );
  }

  ids(text: string): number[] {
    return [...this.tokenizer.encode(text, this.maxTokens).ids];
  }

  /** Vectors of texts, all in one batch. @param padding ids behind the longest text */
  async embed(texts: readonly string[], padding = 0): Promise<Float32Array[]> {
    const rows = texts.map((text) => this.ids(text));
    const length = Math.max(...rows.map((row) => row.length)) + padding;
    const fill = (value: (row: number[], i: number) => number) =>
      new Tensor(
        "int64",
        BigInt64Array.from(rows.flatMap((row) => Array.from({ length }, (_, i) => BigInt(value(row, i))))),
        [rows.length, length],
      );
    const { sentence_embedding: output } = await this.session.run({
      input_ids: fill((row, i) => row[i] ?? this.tokenizer.paddingId),
      attention_mask: fill((row, i) => (i < row.length ? 1 : 0)),
    });
    const width = output!.dims[1]!;
    const values = output!.data as Float32Array;
    return texts.map((_, row) => values.slice(row * width, (row + 1) * width));
  }

  close(): Promise<void> {
    return this.session.release();
  }
}

export function cosine(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0);
}
