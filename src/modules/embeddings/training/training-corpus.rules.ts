import { LONGEST_WORD, WordSplitter } from "./word-splitter.rules.js";

/** Texts as the numbers of their words; a text in a place that is taken replaces the one before. */
export class TrainingCorpus {
  /** Every word that was met, at its number. */
  readonly words: string[] = [];
  /** Numbers of the words of each text, in order. */
  readonly texts: Uint32Array[] = [];
  private readonly numbers = new Map<string, number>();
  private readonly splitter = new WordSplitter();

  put(place: number, text: string): void {
    const words = this.splitter.words(text).filter(({ length }) => length <= LONGEST_WORD);
    this.texts[place] = Uint32Array.from(words, (word) => this.numberOf(word));
  }

  private numberOf(word: string): number {
    let number = this.numbers.get(word);
    if (number === undefined) {
      number = this.words.length;
      this.words.push(word);
      this.numbers.set(word, number);
    }
    return number;
  }
}
