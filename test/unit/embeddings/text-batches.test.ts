import { WaitingTexts } from "../../../src/modules/embeddings/text-batches.rules.js";
import type { WaitingText } from "../../../src/modules/embeddings/text-batches.rules.js";

interface NamedText extends WaitingText {
  name: string;
}

const text = (length: number, name = String(length)): NamedText => ({ name, length, abandoned: false });
const ample = { tokens: 1_000, texts: 100 };

function batchesOf(waiting: WaitingTexts<NamedText>, limits = ample): string[][] {
  const batches: string[][] = [];
  for (;;) {
    const batch = waiting.take(limits);
    if (batch.length === 0) return batches;
    batches.push(batch.map(({ name }) => name));
  }
}

test("texts of about the same length share a batch, longest first", () => {
  const waiting = new WaitingTexts<NamedText>();
  waiting.add([12, 100, 90, 250, 11, 240, 101].map((length) => text(length)));
  expect(batchesOf(waiting)).toEqual([["250", "240"], ["101", "100", "90"], ["12", "11"]]); // prettier-ignore
  expect(waiting.isEmpty).toBe(true);
});

test("a batch holds as many padded tokens as it may, a longer text is alone", () => {
  const waiting = new WaitingTexts<NamedText>();
  waiting.add(Array.from({ length: 7 }, (_, i) => text(100 - i)));
  waiting.add([text(400)]);
  const sizes = batchesOf(waiting, { tokens: 300, texts: 100 }).map(({ length }) => length);
  expect(sizes).toEqual([3, 1, 3, 1]);
});

test("a batch holds as many texts as it may", () => {
  const waiting = new WaitingTexts<NamedText>();
  waiting.add(Array.from({ length: 5 }, (_, i) => text(10, `text ${i}`)));
  const batches = batchesOf(waiting, { tokens: 1_000, texts: 1 });
  expect(batches.map(({ length }) => length)).toEqual([1, 1, 1, 1, 1]);
  expect(new Set(batches.flat()).size).toBe(5);
});

test("callers take turns: a query waits for one batch of each, not for all of a long list", () => {
  const waiting = new WaitingTexts<NamedText>();
  waiting.add(Array.from({ length: 50 }, (_, i) => text(200, `long ${i}`)));
  waiting.take({ tokens: 400, texts: 100 });
  waiting.add([text(8, "query")]);
  expect(waiting.take({ tokens: 400, texts: 100 }).map(({ name }) => name)).not.toContain("query");
  expect(waiting.take({ tokens: 400, texts: 100 }).map(({ name }) => name)).toEqual(["query"]);
});

test("texts of several callers share a batch", () => {
  const waiting = new WaitingTexts<NamedText>();
  for (const name of ["a", "b", "c"]) waiting.add([text(9, name)]);
  expect(batchesOf(waiting)).toHaveLength(1);
});

test("what nobody wants any more is left out", () => {
  const waiting = new WaitingTexts<NamedText>();
  const texts = [text(30, "a"), text(29, "b"), text(28, "c"), text(9, "d")];
  waiting.add(texts);
  texts[0]!.abandoned = true;
  texts[2]!.abandoned = true;
  expect(batchesOf(waiting)).toEqual([["b"], ["d"]]);
  waiting.add([text(5, "e")].map((e) => ({ ...e, abandoned: true })));
  expect(batchesOf(waiting)).toEqual([]);
  expect(waiting.isEmpty).toBe(true);
});

test("every text is taken once, whatever comes when", () => {
  const waiting = new WaitingTexts<NamedText>();
  const taken: string[] = [];
  let added = 0;
  for (let round = 0; round < 200; round++) {
    const lengths = Array.from({ length: round % 7 }, (_, i) => ((round * 31 + i * 57) % 250) + 1);
    waiting.add(lengths.map((length) => text(length, `text ${added++}`)));
    taken.push(...waiting.take({ tokens: 600, texts: 4 }).map(({ name }) => name));
  }
  taken.push(...batchesOf(waiting).flat());
  expect(taken).toHaveLength(added);
  expect(new Set(taken).size).toBe(added);
});
