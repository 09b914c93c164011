import { Tokenizer } from "@huggingface/tokenizers";

/** Tokens of their own; anything else in the vocabulary is a word or a part of one. */
export const SPECIAL_TOKENS = ["[PAD]", "[UNK]", "[CLS]"] as const;
export const CONTINUATION = "##";
/** Characters; longer ones are no words (keys, encoded bytes). */
export const LONGEST_WORD = 40;

/** Lower case without accents, and only letters, marks and digits; each Han character is a word. */
export const NORMALIZER = {
  type: "Sequence",
  normalizers: [
    {
      type: "BertNormalizer",
      clean_text: false,
      handle_chinese_chars: true,
      strip_accents: true,
      lowercase: true,
    },
    { type: "Replace", pattern: { Regex: "[^\\p{L}\\p{M}\\p{N}]+" }, content: " " },
  ],
};

export const PRE_TOKENIZER = { type: "WhitespaceSplit" };

/** Splits texts into words exactly as the tokenizers do that are made of these parts. */
export class WordSplitter {
  private readonly tokenizer = new Tokenizer(
    {
      normalizer: NORMALIZER,
      pre_tokenizer: PRE_TOKENIZER,
      model: { type: "WordPiece", vocab: {}, unk_token: "[UNK]", continuing_subword_prefix: CONTINUATION },
      post_processor: null,
      decoder: null,
      added_tokens: [],
    },
    {},
  );

  words(text: string): string[] {
    return this.tokenizer.pre_tokenizer!.pre_tokenize(this.tokenizer.normalizer!.normalize(text));
  }
}
