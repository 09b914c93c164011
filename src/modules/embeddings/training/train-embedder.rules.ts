import type { EmbedderOptions } from "../../../shared/embedder-options.js";
import { PreconditionFailedError } from "../../../shared/errors.js";
import { tuneContrastively } from "./contrastive-tuning.rules.js";
import { encodeGraph } from "./embedder-graph.rules.js";
import { encodeTokenizer } from "./embedder-tokenizer.rules.js";
import type { EmbedderTrainingOptions, ReportProgress, TrainedEmbedder } from "./embedder-training.types.js";
import { findLatentSpace, projectionOf } from "./latent-space.rules.js";
import { randomNumbers } from "../../../shared/random-numbers.js";
import { addSubWords } from "./sub-words.rules.js";
import { countTerms } from "./term-weights.rules.js";
import type { TrainingCorpus } from "./training-corpus.rules.js";
import { chooseVocabulary } from "./vocabulary.rules.js";
import type { Vocabulary } from "./vocabulary.rules.js";

export const FEWEST_TEXTS = 10;
/** Of fewer, chance decides what tuning makes of the space: with 170 of several collections it gained nothing or lost. */
const FEWEST_TUNED_TEXTS = 400;
export const FEWEST_TERMS = 50;
export const FEWEST_DIMENSIONS = 8;
const MOST_TERMS = 32_000;
const MAX_TOKENS = 512;

/**
 * Learns a text embedder from texts.
 * @throws {PreconditionFailedError} where the texts carry too little
 */
export function trainEmbedder(
  corpus: TrainingCorpus,
  { dimensions: wanted, seed, language }: EmbedderTrainingOptions,
  report: ReportProgress,
): TrainedEmbedder {
  const texts = corpus.texts.filter(({ length }) => length > 0);
  if (texts.length < FEWEST_TEXTS) throw tooLittle(`${FEWEST_TEXTS} texts with words`, texts.length);
  report(0, "Choosing the vocabulary");
  const vocabulary = chooseVocabulary(corpus.words, texts, { language, mostTerms: MOST_TERMS });
  const terms = vocabulary.stems.length;
  if (terms < FEWEST_TERMS) throw tooLittle(`${FEWEST_TERMS} different words`, terms);
  const counts = countTerms(texts, vocabulary.termOf, terms);
  report(0.05, `Finding ${wanted} dimensions in ${texts.length} texts of ${terms} different words`);
  const random = randomNumbers(seed);
  const space = findLatentSpace(counts, {
    rank: wanted,
    random,
    onProgress: (fraction) => report(0.05 + 0.55 * fraction, "Finding dimensions"),
  });
  const { dimensions } = space;
  if (dimensions < FEWEST_DIMENSIONS)
    throw tooLittle(`${FEWEST_DIMENSIONS} texts that differ in their words`, dimensions);
  const tuned = texts.length >= FEWEST_TUNED_TEXTS;
  if (tuned) {
    tuneContrastively(space.vectors, asTerms(texts, vocabulary), {
      ...space,
      random,
      onProgress: (fraction) => report(0.6 + 0.3 * fraction, "Telling texts apart"),
    });
  }
  report(0.9, "Adding parts of words");
  const table = addSubWords(corpus.words, vocabulary, projectionOf(space), dimensions);
  report(0.95, "Writing the embedder");
  const graph = encodeGraph(table, dimensions);
  const tokenizer = encodeTokenizer(table.tokens);
  report(1, "Trained");
  return {
    graph,
    tokenizer,
    options: { ...OPTIONS, dimensions },
    metrics: [
      { name: "texts", value: texts.length },
      { name: "terms", value: terms },
      { name: "tokens", value: table.tokens.length },
      { name: "explained_share", value: space.explained },
    ],
    parameters: [
      { name: "method", value: `latent semantic analysis${tuned ? ", contrastive tuning" : ""}` },
      { name: "dimensions", value: String(dimensions) },
      { name: "seed", value: String(seed) },
      { name: "language", value: language },
      { name: "most_terms", value: String(MOST_TERMS) },
    ],
  };
}

const OPTIONS: Omit<EmbedderOptions, "dimensions"> = {
  pooling: "NONE",
  normalize: true,
  queryPrefix: "",
  passagePrefix: "",
  maxTokens: MAX_TOKENS,
};

function asTerms(texts: readonly Uint32Array[], { termOf }: Vocabulary): Uint32Array[] {
  return texts.map((text) =>
    Uint32Array.from(
      text.filter((word) => termOf[word]! >= 0),
      (word) => termOf[word]!,
    ),
  );
}

function tooLittle(needed: string, found: number): PreconditionFailedError {
  return new PreconditionFailedError(
    `An embedder needs at least ${needed} to learn from; there are ${found}`,
  );
}
