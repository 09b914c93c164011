import type { Pooling } from "../../shared/embedder-options.js";
import type { ModelSignature, TensorSpec } from "../../shared/tensor.js";

/** What an encoder may be fed; `position_ids` count from 0, `token_type_ids` are all 0. */
export type EncoderInputName = "input_ids" | "attention_mask" | "token_type_ids" | "position_ids";

export interface EncoderInput {
  name: EncoderInputName;
  type: "INT64" | "INT32";
}

/** How a graph is run as a text encoder. */
export interface Encoder {
  /** Exactly the inputs that the graph has, each [texts, tokens]. */
  inputs: EncoderInput[];
  /** Whether it has an attention_mask; without one, only texts of the same length can share a batch. */
  masked: boolean;
  output: {
    name: string;
    type: "FLOAT32" | "FLOAT64" | "FLOAT16";
    /** 2: [texts, width], pooled by the graph; 3: [texts, tokens, width]. */
    rank: 2 | 3;
  };
}

/** The graph cannot serve as a text encoder; the message tells its owner why. */
export class UnfitEncoderError extends Error {
  override readonly name = "UnfitEncoderError";
}

const inputNames: readonly string[] = ["input_ids", "attention_mask", "token_type_ids", "position_ids"];
const floatTypes: readonly string[] = ["FLOAT32", "FLOAT64", "FLOAT16"];
const usualOutputs = {
  2: ["sentence_embedding", "pooler_output"],
  3: ["last_hidden_state", "token_embeddings"],
};

/**
 * Which inputs to feed and which output to read.
 * @param pooling null: MEAN where the graph answers with one vector for each token, NONE otherwise
 * @throws {UnfitEncoderError}
 */
export function describeEncoder(
  signature: ModelSignature,
  { pooling }: { pooling: Pooling | null },
): Encoder & { pooling: Pooling } {
  const inputs = signature.inputs.map(toInput);
  if (!inputs.some(({ name }) => name === "input_ids"))
    throw new UnfitEncoderError('a text encoder has an input named "input_ids"');
  const settled = pooling ?? (outputOfRank(signature.outputs, 3) ? "MEAN" : "NONE");
  const masked = inputs.some(({ name }) => name === "attention_mask");
  return { inputs, masked, output: findOutput(signature.outputs, settled), pooling: settled };
}

function toInput(spec: TensorSpec): EncoderInput {
  const { name, type, shape } = spec;
  if (!inputNames.includes(name)) {
    throw new UnfitEncoderError(
      `the graph wants an input "${name}"; a text encoder takes ${inputNames.join(", ")} only`,
    );
  }
  if (type !== "INT64" && type !== "INT32")
    throw new UnfitEncoderError(`the input ${textOf(spec)} must be INT64 or INT32`);
  if (shape.length !== 2 || shape.some((size) => size !== null)) {
    throw new UnfitEncoderError(
      `the input ${textOf(spec)} must be [texts, tokens], any number of both: export it with dynamic axes`,
    );
  }
  return { name: name as EncoderInputName, type };
}

function findOutput(outputs: readonly TensorSpec[], pooling: Pooling): Encoder["output"] {
  const found = outputOfRank(outputs, pooling === "NONE" ? 2 : 3);
  if (found) return found;
  const wanted =
    pooling === "NONE"
      ? "one vector for each text, [texts, width]: pooling MEAN, CLS or LAST reads those of the tokens"
      : "one vector for each token, [texts, tokens, width]: pooling NONE reads what the graph has pooled itself";
  const usual = pooling === "NONE" ? usualOutputs[2] : usualOutputs[3];
  throw new UnfitEncoderError(
    `pooling ${pooling} wants ${wanted}. The graph has no float output of that rank named ${usual.join(" or ")}, ` +
      `nor just one of another name; its outputs are ${outputs.map(textOf).join(", ")}`,
  );
}

/** The usual name wins; else the only float output of that rank. */
function outputOfRank(outputs: readonly TensorSpec[], rank: 2 | 3): Encoder["output"] | undefined {
  const fitting = outputs.filter(({ type, shape }) => floatTypes.includes(type) && shape.length === rank);
  const usual = usualOutputs[rank].map((name) => fitting.find((spec) => spec.name === name));
  const chosen = usual.find((spec) => spec !== undefined) ?? (fitting.length === 1 ? fitting[0] : undefined);
  return chosen && { name: chosen.name, type: chosen.type as Encoder["output"]["type"], rank };
}

/** `last_hidden_state FLOAT32 [?, ?, 384]` */
function textOf({ name, type, shape }: TensorSpec): string {
  return `${name} ${type} [${shape.map((size) => size ?? "?").join(", ")}]`;
}
