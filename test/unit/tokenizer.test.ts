import { TextTokenizer } from "../../src/modules/embeddings/text-tokenizer.rules.js";
import { wordPieceTokenizer } from "../support/tokenizers.js";

// Texts and tokens of the tests of Hugging Face's transformers.js (Apache License 2.0), model bert-base-uncased.
const cases: [string, string, string][] = [
  ["punctuation", "How are you doing?", "how are you doing ?"],
  ["code", "def main():\n\tpass", "def main ( ) : pass"],
  ["line breaks", "This\n\nis\na\ntest.", "this is a test ."],
  ["control and replacement characters", "1\u00002\ufffd3", "123"],
  ["leading space", "   leading space", "leading space"],
  ["amounts", "I bought an apple for $1.00 at the store.", "i bought an apple for $ 1 . 00 at the store ."],
  ["an ellipsis and hard spaces", "you\u2026\u00a0\u00a0", "you \u2026"],
  ["full-width signs", "weird \uff5e edge \uff5e case", "weird \uff5e edge \uff5e case"],
  ["Chinese among Latin letters", "ah\u535a\u63a8zz", "ah \u535a [UNK] z ##z"],
  ["mixed case", " \tHeLLo!how  \n Are yoU?  ", "hello ! how are you ?"],
  ["only white space", " \t\n", ""],
];

// Longest match first: with fewer words beside them, the words of the cases still win.
const pieces = new Set(cases.flatMap(([, , tokens]) => tokens.split(" ").filter(Boolean)));
const vocabulary = [
  ...new Set(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ...pieces, "yo", "##u", "#", "a"]),
];
const tokenizer = new TextTokenizer(new TextDecoder().decode(wordPieceTokenizer(vocabulary)));

test.each(cases)("WordPiece: %s", (_name, text, tokens) => {
  const { ids, truncated } = tokenizer.encode(text, 512);
  expect(Array.from(ids, (id) => vocabulary[id]).join(" ")).toBe(`[CLS] ${tokens} [SEP]`.replace("  ", " "));
  expect(truncated).toBe(false);
});
