import { porterStem } from "./porter-stemmer.rules.js";

const LETTERS = /^\p{L}+$/u;
const PREFIX = 6;

/**
 * What stands for a word and its inflections. English has rules of its own; in other languages words are the same
 * that begin with the same six letters, which serves most inflecting ones nearly as well.
 * @param language a PostgreSQL text search configuration
 */
export function stemmer(language: string): (word: string) => string {
  if (language === "english") return (word) => (/^[a-z]+$/.test(word) ? porterStem(word) : word);
  return (word) => (word.length > PREFIX && LETTERS.test(word) ? word.slice(0, PREFIX) : word);
}
