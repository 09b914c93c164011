import { randomNumbers } from "../../../shared/random-numbers.js";

/** A passage and its place among those kept. */
export interface SampledPassage {
  place: number;
  text: string;
}

/** Characters: about what an embedder reads of a text. */
const PASSAGE_LENGTH = 3_000;
const WHITE_SPACE = /\s/;

/**
 * Cuts texts into passages and draws at most `most` of them, each with the same chance, without knowing how many
 * there will be (reservoir sampling): a later passage may get the place of an earlier one.
 */
export class TrainingSample {
  /** Passages seen so far. */
  seen = 0;
  private readonly random: () => number;

  constructor(
    private readonly most: number,
    seed: number,
  ) {
    this.random = randomNumbers(seed);
  }

  *draw(text: string): Iterable<SampledPassage> {
    for (const passage of passages(text)) {
      const number = this.seen++;
      const place = number < this.most ? number : Math.floor(this.random() * (number + 1));
      if (place < this.most) yield { place, text: passage };
    }
  }
}

function* passages(text: string): Iterable<string> {
  for (let start = 0; start < text.length;) {
    const end = endOfPassage(text, start);
    yield text.slice(start, end);
    start = end;
  }
}

function endOfPassage(text: string, start: number): number {
  const limit = start + PASSAGE_LENGTH;
  if (limit >= text.length) return text.length;
  for (let end = limit; end > start + PASSAGE_LENGTH / 2; end--) if (WHITE_SPACE.test(text[end]!)) return end;
  return limit;
}
