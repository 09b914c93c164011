import {
  CONTINUATION,
  LONGEST_WORD,
  NORMALIZER,
  PRE_TOKENIZER,
  SPECIAL_TOKENS,
} from "./word-splitter.rules.js";

const [PADDING, UNKNOWN, START] = SPECIAL_TOKENS;

/**
 * tokenizer.json of a vocabulary: words are looked up as they are, unseen ones taken apart from the left (WordPiece).
 * A start token comes before every text, so that none is without tokens.
 * @param tokens at their ids, special ones first
 */
export function encodeTokenizer(tokens: readonly string[]): Uint8Array {
  const special = (token: string) => ({ id: token, ids: [tokens.indexOf(token)], tokens: [token] });
  const start = { SpecialToken: { id: START, type_id: 0 } };
  const sequence = (id: string) => ({ Sequence: { id, type_id: 0 } });
  const file = {
    version: "1.0",
    truncation: null,
    padding: {
      strategy: "BatchLongest",
      direction: "Right",
      pad_to_multiple_of: null,
      pad_id: tokens.indexOf(PADDING),
      pad_type_id: 0,
      pad_token: PADDING,
    },
    added_tokens: [],
    normalizer: NORMALIZER,
    pre_tokenizer: PRE_TOKENIZER,
    post_processor: {
      type: "TemplateProcessing",
      single: [start, sequence("A")],
      pair: [start, sequence("A"), sequence("B")],
      special_tokens: { [START]: special(START) },
    },
    decoder: { type: "WordPiece", prefix: CONTINUATION, cleanup: true },
    model: {
      type: "WordPiece",
      unk_token: UNKNOWN,
      continuing_subword_prefix: CONTINUATION,
      max_input_chars_per_word: LONGEST_WORD,
      // Not an object literal: a vocabulary may hold `__proto__`.
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
    },
  };
  return new TextEncoder().encode(JSON.stringify(file));
}
