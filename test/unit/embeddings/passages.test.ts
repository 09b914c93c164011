import { splitPassages } from "../../../src/modules/embeddings/passages.rules.js";
import type { PassageOptions } from "../../../src/modules/embeddings/passages.rules.js";
import { splitSentences } from "../../../src/modules/embeddings/sentences.rules.js";

/** Words are tokens, and so is every character that is not of ASCII. */
const count = (text: string) => text.match(/[\x21-\x7e]+|[^\s\x21-\x7e]/gu)?.length ?? 0;

function passagesOf(text: string, options: Partial<PassageOptions> = {}): string[] {
  const { budget = 12, overlap = 0 } = options;
  const passages = splitPassages(text, { budget, overlap, count: options.count ?? count });
  let covered = 0;
  for (const { start, end } of passages) {
    // What lies between two passages is white space.
    expect(text.slice(covered, start).trim()).toBe("");
    expect(end).toBeGreaterThan(covered);
    covered = end;
    const passage = text.slice(start, end);
    expect(passage).toBe(passage.trim());
    expect(passage).not.toMatch(/\p{Surrogate}/u);
    expect((options.count ?? count)(passage)).toBeLessThanOrEqual(budget);
  }
  expect(text.slice(covered).trim()).toBe("");
  return passages.map(({ start, end }) => text.slice(start, end));
}

const sentence = (words: number, name: string) =>
  `${Array.from({ length: words }, (_, i) => `${i === 0 ? name.toUpperCase() : name}${i}`).join(" ")}.`;

test("a text that fits is one passage, without the white space around it", () => {
  expect(passagesOf("  Gas rose. Oil fell.\n")).toEqual(["Gas rose. Oil fell."]);
});

test.each(["", " \n\t ", "\u00a0\u3000"])("a text of nothing has no passages: %j", (text) => {
  expect(passagesOf(text)).toEqual([]);
});

test("sentences stay whole", () => {
  const sentences = [
    sentence(5, "a"),
    sentence(5, "b"),
    sentence(7, "c"),
    sentence(4, "d"),
    sentence(12, "e"),
  ];
  expect(passagesOf(sentences.join(" "))).toEqual([
    `${sentences[0]} ${sentences[1]}`,
    `${sentences[2]} ${sentences[3]}`,
    sentences[4],
  ]);
});

test("passages overlap by whole sentences, as many as the overlap holds", () => {
  const [a, b, c, d] = [sentence(4, "a"), sentence(4, "b"), sentence(3, "c"), sentence(5, "d")];
  const text = [a, b, c, d].join(" ");
  expect(passagesOf(text, { overlap: 3 })).toEqual([`${a} ${b} ${c}`, `${c} ${d}`]);
  expect(passagesOf(text, { overlap: 7 })).toEqual([`${a} ${b} ${c}`, `${b} ${c} ${d}`]);
  expect(passagesOf(text, { overlap: 2 })).toEqual([`${a} ${b} ${c}`, d]);
});

test("an overlap as large as a passage still comes to an end", () => {
  const text = Array.from({ length: 50 }, (_, i) => sentence(3, `w${i}x`)).join(" ");
  expect(passagesOf(text, { overlap: 12 }).length).toBeLessThanOrEqual(50);
});

test("a sentence longer than a passage is cut between words, into passages that are well filled", () => {
  const long = sentence(100, "w");
  const passages = passagesOf(`Short one. ${long} Short two.`);
  expect(passages.length).toBeLessThan(14);
  expect(passages.join(" ")).toBe(`Short one. ${long} Short two.`);
});

test.each([
  ["Chinese", "天然气价格上涨了。".repeat(40)],
  ["Chinese without a full stop", "天然气价格上涨".repeat(60)],
  ["Japanese", "石炭の価格は下がった。".repeat(30)],
  ["emojis", "🔥".repeat(200)],
  ["families of emojis", "👩‍👩‍👧‍👦".repeat(40)],
  ["accents that stand alone", "e\u0301".repeat(300)],
])("text without white space is cut between characters: %s", (_, text) => {
  const passages = passagesOf(text);
  expect(passages.join("")).toBe(text);
  expect(passages.length).toBeGreaterThan(1);
  const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" });
  const whole = new Set(Array.from(graphemes.segment(text), ({ segment }) => segment));
  for (const passage of passages) {
    for (const { segment } of graphemes.segment(passage)) expect(whole).toContain(segment);
  }
});

test("one word of ten thousand letters is cut when it is many tokens", () => {
  const text = "x".repeat(10_000);
  const byLetters = (part: string) => Math.ceil(part.length / 4);
  const passages = passagesOf(text, { budget: 50, count: byLetters });
  expect(passages.join("")).toBe(text);
  expect(passages.length).toBeLessThan(70);
});

test("a character that is more tokens than a passage may have is a passage", () => {
  const text = "🔥🔥🔥";
  const passages = splitPassages(text, { budget: 2, overlap: 1, count: (part) => 2 * part.length });
  expect(passages.map(({ start, end }) => text.slice(start, end))).toEqual(["🔥", "🔥", "🔥"]);
});

test("pieces that are more tokens together than alone do not make a passage too long", () => {
  const text = Array.from({ length: 60 }, (_, i) => sentence(3, `s${i}x`)).join(" ");
  const dearer = (part: string) => count(part) + (part.match(/\. /g)?.length ?? 0);
  passagesOf(text, { count: dearer });
});

test("lines of a fixed width do not end a sentence, lines of a list do", () => {
  const text = "Gas prices\nrose in the\nwinter.\n\n- First thing\n- Second thing\nA heading\n";
  expect(splitSentences(text).map(({ start, end }) => text.slice(start, end).trim())).toEqual([
    "Gas prices\nrose in the\nwinter.",
    "",
    "- First thing",
    "- Second thing",
    "A heading",
  ]);
});

test.each([
  ["prose", "Prices of natural gas rose by 4.5 % in the cold winter of 2024. Storage was low. "],
  ["one sentence", "gas "],
  ["no white space", "gas"],
])("a megabyte takes a moment: %s", (_, unit) => {
  const text = unit.repeat(Math.ceil(1e6 / unit.length));
  const start = performance.now();
  passagesOf(text, { budget: 250, overlap: 30, count: (part) => Math.ceil(part.length / 4) });
  expect(performance.now() - start).toBeLessThan(5_000);
});
