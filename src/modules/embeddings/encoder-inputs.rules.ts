import type { TensorValue } from "../../shared/tensor.js";
import type { EncoderInput, EncoderInputName } from "./encoder-signature.rules.js";

/**
 * The inputs of one run, each [texts, tokens of the longest], padded at the end.
 * @param texts ids of their tokens, special ones included
 * @param paddingId id that fills the shorter texts, behind the mask
 */
export function encoderInputs(
  inputs: readonly EncoderInput[],
  texts: readonly ArrayLike<number>[],
  paddingId: number,
): Record<string, TensorValue> {
  const tokens = Math.max(...texts.map(({ length }) => length));
  const tensors: Record<string, TensorValue> = {};
  for (const { name, type } of inputs) {
    const data =
      type === "INT64" ? new BigInt64Array(texts.length * tokens) : new Int32Array(texts.length * tokens);
    // The low halves of little-endian numbers that are not negative: a BigInt for each would cost ten times as much.
    const numbers = new Int32Array(data.buffer);
    const stride = type === "INT64" ? 2 : 1;
    for (const [row, ids] of texts.entries()) {
      fill(
        name,
        numbers.subarray(row * tokens * stride, (row + 1) * tokens * stride),
        stride,
        ids,
        paddingId,
      );
    }
    tensors[name] = { type, shape: [texts.length, tokens], data };
  }
  return tensors;
}

function fill(
  name: EncoderInputName,
  row: Int32Array,
  stride: number,
  ids: ArrayLike<number>,
  paddingId: number,
): void {
  const tokens = row.length / stride;
  for (let i = 0; i < tokens; i++) {
    const isText = i < ids.length;
    if (name === "input_ids") row[i * stride] = isText ? ids[i]! : paddingId;
    else if (name === "attention_mask") row[i * stride] = isText ? 1 : 0;
    else if (name === "position_ids") row[i * stride] = i;
  }
}
