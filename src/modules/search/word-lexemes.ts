import { LRUCache } from "lru-cache";
import type { Database } from "../../ports/database.js";
import { searchableText } from "./searchable-text.rules.js";

/** Some 10 MB. */
const WORDS_KEPT = 50_000;
/** Longer is no word, and would fill the memory. */
const MOST_LETTERS = 100;

/** What words mean to text search configurations, from memory where it was asked before. */
export class WordLexemes {
  private readonly known = new LRUCache<string, string[]>({ max: WORDS_KEPT });

  constructor(private readonly database: Database) {}

  /** @returns by word; none for a stop word */
  async of(language: string, words: readonly string[]): Promise<Map<string, string[]>> {
    const found = new Map<string, string[]>();
    const missing: string[] = [];
    for (const word of words) {
      const lexemes = this.known.get(`${language} ${word}`);
      if (lexemes) found.set(word, lexemes);
      else if (word.length <= MOST_LETTERS) missing.push(word);
    }
    if (missing.length === 0) return found;
    const rows: { word: string; lexemes: string[] }[] = await this.database.read((tx) =>
      tx.query(
        `SELECT word, tsvector_to_array(to_tsvector($1::regconfig, text)) AS lexemes
         FROM unnest($2::text[], $3::text[]) AS w(word, text)`,
        [language, missing, missing.map(searchableText)],
      ),
    );
    for (const { word, lexemes } of rows) {
      this.known.set(`${language} ${word}`, lexemes);
      found.set(word, lexemes);
    }
    return found;
  }
}
