import type { EmbedderOptions } from "../../../shared/embedder-options.js";
import { PreconditionFailedError } from "../../../shared/errors.js";
import { encodeGraph } from "./embedder-graph.rules.js";
import { encodeTokenizer } from "./embedder-tokenizer.rules.js";
import type { EmbedderTrainingOptions, ReportProgress, TrainedEmbedder } from "./embedder-training.types.js";
import { findLatentSpace } from "./latent-space.rules.js";
import { randomNumbers } from "../../../shared/random-numbers.js";
import { addSubWords } from "./sub-words.rules.js";
import { countTerms } from "./term-weights.rules.js";
import type { TrainingCorpus } from "./training-corpus.rules.js";
import { chooseVocabulary } from "./vocabulary.rules.js";

export const FEWEST_TEXTS = 10;
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
  const { dimensions, projection, explained } = findLatentSpace(counts, {
    rank: wanted,
    random: randomNumbers(seed),
    onProgress: (fraction) => report(0.05 + 0.8 * fraction, "Finding dimensions"),
  });
  if (dimensions < FEWEST_DIMENSIONS)
    throw tooLittle(`${FEWEST_DIMENSIONS} texts that differ in their words`, dimensions);
  report(0.85, "Adding parts of words");
  const table = addSubWords(corpus.words, vocabulary, projection, dimensions);
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
      { name: "explained_share", value: explained },
    ],
    parameters: [
      { name: "method", value: "latent semantic analysis" },
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

function tooLittle(needed: string, found: number): PreconditionFailedError {
  return new PreconditionFailedError(
    `An embedder needs at least ${needed} to learn from; there are ${found}`,
  );
}
