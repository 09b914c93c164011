/** [PAD] is 0, [UNK] 1, [CLS] 2, [SEP] 3, [MASK] 4; then signs, letters and pieces, then words. */
export function smallVocabulary(): string[] {
  const characters = [..."abcdefghijklmnopqrstuvwxyz0123456789"];
  return [
    ...["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
    ...[...".,;:!?-()/$%'\""],
    ...characters,
    ...characters.map((character) => `##${character}`),
    ...["##ing", "##ed", "##es", "##er", "##ly", "##al"],
    ...words,
  ];
}

const words = (
  "the of and to in is on for by with from at as gas oil power carbon coal wind solar hydro nuclear price prices " +
  "market markets demand supply storage pipeline allowance allowances emission emissions cold warm winter summer " +
  "weather rain snow heat north south east west europe asia germany france rise rises fall falls high low forecast"
).split(" ");

export interface WordPieceOptions {
  /** `truncation.max_length` of the file. */
  maxLength?: number;
}

/**
 * The bytes of a tokenizer.json of BERT's kind, lower-casing.
 * @param vocabulary tokens in the order of their ids, the five special ones among them
 */
export function wordPieceTokenizer(
  vocabulary: readonly string[] = smallVocabulary(),
  { maxLength }: WordPieceOptions = {},
): Uint8Array {
  const vocab = Object.fromEntries(vocabulary.map((token, id) => [token, id]));
  const special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].filter((token) =>
    vocabulary.includes(token),
  );
  const piece = (id: string) => ({ SpecialToken: { id, type_id: 0 } });
  const sequence = (id: string, type: number) => ({ Sequence: { id, type_id: type } });
  return json({
    version: "1.0",
    truncation:
      maxLength === undefined
        ? null
        : { direction: "Right", max_length: maxLength, strategy: "LongestFirst", stride: 0 },
    padding: null,
    added_tokens: special.map((content) => ({
      ...{ id: vocab[content], content, special: true },
      ...{ single_word: false, lstrip: false, rstrip: false, normalized: false },
    })),
    normalizer: {
      ...{ type: "BertNormalizer", clean_text: true, handle_chinese_chars: true },
      ...{ strip_accents: null, lowercase: true },
    },
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor: {
      type: "TemplateProcessing",
      single: [piece("[CLS]"), sequence("A", 0), piece("[SEP]")],
      pair: [piece("[CLS]"), sequence("A", 0), piece("[SEP]"), sequence("B", 1), piece("[SEP]")],
      special_tokens: Object.fromEntries(
        ["[CLS]", "[SEP]"].map((id) => [id, { id, ids: [vocab[id]], tokens: [id] }]),
      ),
    },
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
    model: {
      ...{ type: "WordPiece", unk_token: "[UNK]", continuing_subword_prefix: "##" },
      ...{ max_input_chars_per_word: 100, vocab },
    },
  });
}

/** Any value as the bytes of a JSON file. */
export function json(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

/** The bytes of a tokenizer.json of XLM-RoBERTa's kind: SentencePiece's Unigram. <s> is 0, </s> 2, <unk> 3. */
export function unigramTokenizer(): Uint8Array {
  const pieces = [..."abcdefghijklmnopqrstuvwxyz", ...words.map((word) => `▁${word}`), "▁"];
  return json({
    ...{ version: "1.0", truncation: null, padding: null, added_tokens: robertaTokens() },
    normalizer: { type: "Precompiled", precompiled_charsmap: "" },
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        { type: "WhitespaceSplit" },
        { type: "Metaspace", replacement: "▁", add_prefix_space: true },
      ],
    },
    post_processor: {
      type: "TemplateProcessing",
      single: [
        { SpecialToken: { id: "<s>", type_id: 0 } },
        { Sequence: { id: "A", type_id: 0 } },
        { SpecialToken: { id: "</s>", type_id: 0 } },
      ],
      pair: [],
      special_tokens: {
        "<s>": { id: "<s>", ids: [0], tokens: ["<s>"] },
        "</s>": { id: "</s>", ids: [2], tokens: ["</s>"] },
      },
    },
    decoder: { type: "Metaspace", replacement: "▁", add_prefix_space: true },
    model: {
      ...{ type: "Unigram", unk_id: 3 },
      vocab: [
        ...robertaTokens().map(({ content }) => [content, 0]),
        ...pieces.map((piece) => [piece, piece.length > 1 ? -3 : -6]),
      ],
    },
  });
}

/** The bytes of a tokenizer.json of RoBERTa's kind: byte-level BPE. Its largest id is 261. */
export function bytePairTokenizer(): Uint8Array {
  const merges = ["Ġ g", "Ġg a"];
  const tokens = [...robertaTokens().map(({ content }) => content), ...byteSigns(), "Ġg", "Ġga"];
  const affix = { trim_offsets: true, add_prefix_space: false };
  return json({
    ...{ version: "1.0", truncation: null, padding: null, added_tokens: robertaTokens(), normalizer: null },
    pre_tokenizer: { type: "ByteLevel", ...affix },
    post_processor: { type: "RobertaProcessing", sep: ["</s>", 2], cls: ["<s>", 0], ...affix },
    decoder: { type: "ByteLevel", ...affix },
    model: {
      ...{ type: "BPE", dropout: null, unk_token: null, fuse_unk: false, merges },
      ...{ continuing_subword_prefix: "", end_of_word_suffix: "" },
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
    },
  });
}

function robertaTokens() {
  return ["<s>", "<pad>", "</s>", "<unk>"].map((content, id) => ({
    ...{ id, content, special: true },
    ...{ single_word: false, lstrip: false, rstrip: false, normalized: false },
  }));
}

/** One printable character for each byte, as GPT-2 has them. */
function byteSigns(): string[] {
  const printable = (byte: number) =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(printable(byte) ? byte : next++));
}
