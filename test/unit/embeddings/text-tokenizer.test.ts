import { TextTokenizer } from "../../../src/modules/embeddings/text-tokenizer.rules.js";
import { smallVocabulary, wordPieceTokenizer } from "../../support/tokenizers.js";

const vocabulary = smallVocabulary();
const idOf = (token: string) => vocabulary.indexOf(token);
const content = new TextDecoder().decode(wordPieceTokenizer());
const tokenizer = new TextTokenizer(content);
const [CLS, SEP, UNK] = [idOf("[CLS]"), idOf("[SEP]"), idOf("[UNK]")];

const encoded = (text: string, maxTokens = 64) => {
  const { ids, truncated } = tokenizer.encode(text, maxTokens);
  return { ids: [...ids], truncated };
};

test("special tokens stand around the text, whatever was cut off", () => {
  const [gas, prices, rise] = ["gas", "prices", "rise"].map(idOf);
  expect(encoded("Gas prices rise")).toEqual({ ids: [CLS, gas, prices, rise, SEP], truncated: false });
  expect(encoded("Gas prices rise", 5)).toEqual({ ids: [CLS, gas, prices, rise, SEP], truncated: false });
  expect(encoded("Gas prices rise", 4)).toEqual({ ids: [CLS, gas, prices, SEP], truncated: true });
  expect(encoded("Gas prices rise", 2)).toEqual({ ids: [CLS, SEP], truncated: true });
});

test("a text of which nothing is left has its special tokens", () => {
  expect(encoded("\u200b\u200b")).toEqual({ ids: [CLS, SEP], truncated: false });
});

test("the padding is that of the file, else its padding token", () => {
  const file = JSON.parse(content) as { padding: unknown };
  expect(tokenizer.paddingId).toBe(idOf("[PAD]"));
  expect(new TextTokenizer(JSON.stringify({ ...file, padding: { pad_id: 7 } })).paddingId).toBe(7);
});

test.each([
  ["words", "gas prices rise in cold winter "],
  ["much white space", `gas${" ".repeat(500)}prices${"\n".repeat(700)}`],
  ["words that nobody knows", `${"x".repeat(3_000)} `],
  ["signs", "%%%%!!!!"],
  ["Chinese", "天然气价格"],
])("the first tokens of a long text are those of the whole: %s", (_, unit) => {
  const text = unit.repeat(Math.ceil(30_000 / unit.length));
  const whole = encoded(text, 1e6);
  for (const maxTokens of [3, 10, 32, 128]) {
    const cut = encoded(text, maxTokens);
    expect(cut.truncated).toBe(whole.ids.length > maxTokens);
    if (cut.truncated) expect(cut.ids).toEqual([...whole.ids.slice(0, maxTokens - 1), SEP]);
    else expect(cut).toEqual(whole);
  }
  // Counted in pieces, a word that lies across a cut counts twice.
  expect(Math.abs(tokenizer.count(text) + 2 - whole.ids.length)).toBeLessThan(5);
});

test("a text of three megabytes costs no more than its beginning, even when it is a single token", () => {
  const start = performance.now();
  expect(encoded("gas ".repeat(750_000), 128)).toMatchObject({ truncated: true });
  // Not all of it is read.
  expect(encoded("x".repeat(3_000_000), 128)).toEqual({ ids: [CLS, UNK, SEP], truncated: true });
  expect(performance.now() - start).toBeLessThan(1_000);
});

test("all of a megabyte can be counted", () => {
  expect(tokenizer.count("gas prices ".repeat(100_000))).toBe(200_000);
});
