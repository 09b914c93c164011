const K1 = 1.2;
const B = 0.75;
const WORD = /[\p{L}\p{N}]+/gu;

/** BM25 over lower-cased words, without stems and stop words: what a ranking is compared with. */
export class PlainBm25 {
  private readonly postings = new Map<string, Map<number, number>>();
  private readonly lengths: number[];
  private readonly meanLength: number;

  constructor(private readonly documents: readonly { id: string; text: string }[]) {
    this.lengths = documents.map(({ text }, i) => {
      const words = wordsOf(text);
      for (const word of words) {
        const frequencies = this.postings.get(word) ?? new Map<number, number>();
        this.postings.set(word, frequencies.set(i, (frequencies.get(i) ?? 0) + 1));
      }
      return words.length;
    });
    this.meanLength = this.lengths.reduce((sum, length) => sum + length, 0) / documents.length;
  }

  /** Ids of the documents that hold a word of the query, best first. */
  rank(query: string, depth: number): string[] {
    const scores = new Map<number, number>();
    for (const word of wordsOf(query)) {
      const frequencies = this.postings.get(word);
      if (!frequencies) continue;
      const idf = Math.log(1 + (this.documents.length - frequencies.size + 0.5) / (frequencies.size + 0.5));
      for (const [i, frequency] of frequencies) {
        const norm = 1 - B + (B * this.lengths[i]!) / this.meanLength;
        const gain = (idf * frequency * (K1 + 1)) / (frequency + K1 * norm);
        scores.set(i, (scores.get(i) ?? 0) + gain);
      }
    }
    return [...scores]
      .sort((a, b) => b[1] - a[1] || a[0] - b[0])
      .slice(0, depth)
      .map(([i]) => this.documents[i]!.id);
  }
}

function wordsOf(text: string): string[] {
  return text.toLowerCase().match(WORD) ?? [];
}
