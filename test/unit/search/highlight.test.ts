import { highlight, wordsToLookUp } from "../../../src/modules/search/highlight.rules.js";

/** A text search configuration that only takes an s away. */
const stem = (word: string) => [word.toLowerCase().replace(/s$/, "")];

function highlighted(text: string, query: string, title: string | null = null): string {
  const lexemes = query.split(" ").flatMap(stem);
  const known = new Set(wordsToLookUp([{ title, text }], lexemes));
  const lexemesOf = (word: string) => (known.has(word) ? stem(word) : undefined);
  return highlight({ title, text }, lexemesOf, new Set(lexemes));
}

const unmarked = (html: string) => html.replace(/<\/?em>/g, "");

test("marks every form of a word", () => {
  expect(highlighted("Cavern by cavern: the Caverns fill.", "caverns")).toBe(
    "<em>Cavern</em> by <em>cavern</em>: the <em>Caverns</em> fill.",
  );
});

test("marks nothing within another word", () => {
  expect(highlighted("gasoline and biogas", "gas")).toBe("gasoline and biogas");
});

test.each([
  ["tags", `<script>alert("gas")</script>`, `&lt;script&gt;alert(&quot;<em>gas</em>&quot;)&lt;/script&gt;`],
  ["entities", "AT&T &amp; gas", "AT&amp;T &amp;amp; <em>gas</em>"],
  ["our own marks", "<em>gas</em>", "&lt;em&gt;<em>gas</em>&lt;/em&gt;"],
  ["a type", "Vec<Gas>", "Vec&lt;<em>Gas</em>&gt;"],
  ["an apostrophe", "gas' price", "<em>gas</em>&#39; price"],
])("escapes %s", (_, text, html) => {
  expect(highlighted(text, "gas")).toBe(html);
});

test("marks a number or an address as a whole", () => {
  expect(highlighted("release 1.2.3, not 1.2.4", "1.2.3")).toBe("release <em>1.2.3</em>, not 1.2.4");
});

describe("a long passage", () => {
  const filler = "lorem ipsum dolor sit amet ".repeat(40);

  test("shows where most of the query's words are", () => {
    const html = highlighted(`gas ${filler} gas storage level ${filler} storage`, "gas storage levels");
    expect(html).toContain("<em>gas</em> <em>storage</em> <em>level</em>");
    expect(unmarked(html).length).toBeLessThanOrEqual(300);
  });

  test("begins and ends with whole words", () => {
    const words = new Set(filler.trim().split(" "));
    const html = unmarked(highlighted(`${filler} gas ${filler}`, "gas"));
    for (const word of html.split(/\s+/)) expect([...words, "gas"]).toContain(word);
  });

  test("is its beginning where nothing matches", () => {
    expect(highlighted(filler, "gas").startsWith("lorem ipsum")).toBe(true);
  });

  test("never cuts a character in two, nor grows without a space", () => {
    for (const shift of [0, 1]) {
      const html = highlighted(`${"x".repeat(shift)}${"🔥".repeat(1_000)}`, "gas");
      expect(html).not.toMatch(/\p{Surrogate}/u);
      expect(html.length).toBeLessThanOrEqual(300);
    }
  });
});

test("where only the title matches, it leads", () => {
  expect(highlighted("Nothing of that.", "gas", "Gas & power")).toBe(
    "<em>Gas</em> &amp; power: Nothing of that.",
  );
});

test("looks up only words that begin as one of the query's does", () => {
  const words = wordsToLookUp([{ title: "Power", text: "gas, gasoline and coal" }], ["gas"]);
  expect(words.toSorted()).toEqual(["gas", "gasoline"]);
});
