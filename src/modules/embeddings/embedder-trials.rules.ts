import type { Trial, TrialOutcome } from "../../ports/inference-runtime.js";
import type { EmbedderOptions, EmbedderRequest } from "../../shared/embedder-options.js";
import { encoderInputs } from "./encoder-inputs.rules.js";
import { UnfitEncoderError } from "./encoder-signature.rules.js";
import type { Encoder } from "./encoder-signature.rules.js";

/** What the tokenizer of a version says of itself. */
export interface TokenizerFacts {
  /** Ids of some text, special tokens included. */
  sampleIds: readonly number[];
  /** Tokens of the longest prefix, special ones included. */
  reservedTokens: number;
  largestId: number;
  /** Where its file cuts texts; null when it does not say. */
  maxLength: number | null;
}

interface PlannedTrial extends Trial {
  /** What the graph does not take, when it refuses. */
  what: string;
  texts: number;
  tokens: number;
}

/** Longer texts cost a multiple; whoever wants them says so with maxTokens. */
const USUAL_MAX_TOKENS = 512;
const SHORTEST_TRIED = 16;
/** Those before the ones of different lengths, of which one must go well. */
const FIXED_TRIALS = 3;
/** What an HNSW index over half-precision vectors takes. */
const MOST_DIMENSIONS = 4_000;

/**
 * The runs that tell how an encoder behaves: a text alone, two of different lengths, the largest id, and texts of
 * the lengths that it may have to take, shortest first.
 */
export function planTrials(
  encoder: Encoder,
  facts: TokenizerFacts,
  { maxTokens }: Pick<EmbedderRequest, "maxTokens">,
): PlannedTrial[] {
  const { sampleIds, largestId } = facts;
  const trial = (what: string, texts: number[][]): PlannedTrial => ({
    what,
    texts: texts.length,
    tokens: Math.max(...texts.map(({ length }) => length)),
    inputs: encoderInputs(encoder.inputs, texts, 0),
    outputs: [encoder.output.name],
  });
  const short = [sampleIds[0]!, sampleIds.at(-1)!];
  const longer = [...sampleIds, ...sampleIds];
  return [
    trial(`a text of ${sampleIds.length} tokens`, [[...sampleIds]]),
    trial("two texts at once", encoder.masked ? [longer, short] : [longer, longer]),
    trial(
      `the id ${largestId} of its tokenizer; the vocabulary of the graph is smaller than that of the tokenizer`,
      [[largestId, largestId]],
    ),
    ...lengths(facts.maxLength, maxTokens).map((length) =>
      trial(`${length} tokens`, [Array.from({ length }, (_, i) => sampleIds[i % sampleIds.length]!)]),
    ),
  ];
}

function lengths(maxLength: number | null, maxTokens: number | null): number[] {
  if (maxTokens !== null) return [maxTokens];
  const most = Math.min(maxLength ?? USUAL_MAX_TOKENS, USUAL_MAX_TOKENS);
  const tried: number[] = [];
  for (let length = SHORTEST_TRIED; length < most; length *= 2) tried.push(length);
  return [...tried, most];
}

/**
 * The options that the trials leave possible.
 * @throws {UnfitEncoderError} when there are none
 */
export function settleEmbedder(
  encoder: Encoder & Pick<EmbedderOptions, "pooling">,
  { reservedTokens }: TokenizerFacts,
  request: EmbedderRequest,
  trials: readonly PlannedTrial[],
  outcomes: readonly TrialOutcome[],
): EmbedderOptions {
  const refused = outcomes.findIndex(({ ok }) => !ok);
  const accepted = refused < 0 ? trials.length : refused;
  if (accepted <= FIXED_TRIALS) {
    const { refusal } = outcomes[accepted] as Extract<TrialOutcome, { ok: false }>;
    throw new UnfitEncoderError(`the graph does not take ${trials[accepted]!.what}: ${refusal}`);
  }
  const widths = trials.slice(0, accepted).map((trial, i) => widthOf(encoder, trial, outcomes[i]!));
  const width = widths[0]!;
  const other = widths.findIndex((size) => size !== width);
  if (other >= 0) {
    throw new UnfitEncoderError(
      `the output ${encoder.output.name} has no fixed dimension: it was ${width} for ${trials[0]!.what}, ` +
        `and ${widths[other]} for ${trials[other]!.what}`,
    );
  }
  const maxTokens = trials[accepted - 1]!.tokens;
  if (maxTokens <= reservedTokens) {
    throw new UnfitEncoderError(
      `${maxTokens} tokens leave no room for text: prefix and special tokens take ${reservedTokens}`,
    );
  }
  const { normalize, queryPrefix, passagePrefix } = request;
  const dimensions = settleDimensions(width, request.dimensions);
  return { pooling: encoder.pooling, normalize, queryPrefix, passagePrefix, maxTokens, dimensions };
}

function widthOf({ output }: Encoder, { texts, tokens, what }: PlannedTrial, outcome: TrialOutcome): number {
  const { shape, finite } = (outcome as Extract<TrialOutcome, { ok: true }>).outputs[output.name]!;
  const expected = output.rank === 2 ? [texts] : [texts, tokens];
  if (shape.length !== output.rank || expected.some((size, axis) => shape[axis] !== size)) {
    throw new UnfitEncoderError(
      `the output ${output.name} must be [${output.rank === 2 ? "texts" : "texts, tokens"}, width]; ` +
        `for ${texts} x ${tokens} tokens it was [${shape.join(", ")}]`,
    );
  }
  if (!finite) throw new UnfitEncoderError(`the output ${output.name} is not finite for ${what}`);
  return shape.at(-1)!;
}

function settleDimensions(width: number, requested: number | null): number {
  if (requested !== null && requested > width)
    throw new UnfitEncoderError(`${requested} dimensions were asked for; the graph's vectors have ${width}`);
  const dimensions = requested ?? width;
  if (dimensions < 1 || dimensions > MOST_DIMENSIONS) {
    throw new UnfitEncoderError(
      `vectors of ${dimensions} dimensions cannot be searched: at most ${MOST_DIMENSIONS}, ` +
        "which the option dimensions can cut them to",
    );
  }
  return dimensions;
}
