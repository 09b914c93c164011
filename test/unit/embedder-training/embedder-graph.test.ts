import { InferenceSession, Tensor } from "onnxruntime-node";
import { encodeGraph } from "../../../src/modules/embeddings/training/embedder-graph.rules.js";
import { randomNumbers } from "../../../src/shared/random-numbers.js";

const width = 8;
const random = randomNumbers(2);
/** Eight tokens, two of them with the same row; 0 and 1 mean nothing. */
const rowOf = Int32Array.of(0, 0, 1, 2, 3, 3, 4, 5);
const projection = Float32Array.from({ length: 6 * width }, (_, i) => (i < width ? 0 : random() * 2 - 1));

/** The same in plain numbers: each distinct row once, (1 + ln occurrences) times. */
function expected(ids: readonly number[]): number[] {
  const occurrences = new Map<number, number>();
  for (const id of ids) occurrences.set(rowOf[id]!, (occurrences.get(rowOf[id]!) ?? 0) + 1);
  const sum = new Array<number>(width).fill(0);
  for (const [row, count] of occurrences)
    for (let i = 0; i < width; i++) sum[i]! += (1 + Math.log(count)) * projection[row * width + i]!;
  const length = Math.hypot(...sum);
  return length > 0 ? sum.map((value) => value / length) : sum.map((_, i) => (i === width - 1 ? 1 : 0));
}

test("the graph computes the weighted sum of distinct rows at unit length, padding left out", async () => {
  const texts = [[2, 3, 4], [5], [4, 5, 4, 2, 7, 7, 1], [0, 1], [6, 6, 6, 6, 6, 6, 3]];
  const length = 9;
  const cells = (value: (ids: number[], i: number) => number) =>
    new Tensor(
      "int64",
      BigInt64Array.from(texts.flatMap((ids) => Array.from({ length }, (_, i) => BigInt(value(ids, i))))),
      [texts.length, length],
    );
  const session = await InferenceSession.create(
    encodeGraph({ tokens: [...rowOf].map(String), rowOf, projection }, width),
  );
  const { sentence_embedding: output } = await session.run({
    // What is masked is no token that means nothing, but must not count either.
    input_ids: cells((ids, i) => ids[i] ?? 2 + (i % 6)),
    attention_mask: cells((ids, i) => (i < ids.length ? 1 : 0)),
  });
  await session.release();
  expect(output!.dims).toEqual([texts.length, width]);
  texts.forEach((ids, row) => {
    expected(ids).forEach((value, i) =>
      expect((output!.data as Float32Array)[row * width + i]!).toBeCloseTo(value, 3),
    );
  });
});
