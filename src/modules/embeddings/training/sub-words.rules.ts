import { CONTINUATION, SPECIAL_TOKENS } from "./word-splitter.rules.js";
import type { Vocabulary } from "./vocabulary.rules.js";

/** Every token and the row of the projection that it stands for. */
export interface TokenTable {
  /** At its id. */
  tokens: string[];
  /** Row of each token; 0 is the row of what has no meaning. */
  rowOf: Int32Array;
  /** Row-major [rows, width]; row 0 is zero. */
  projection: Float32Array;
}

const PREFIX = { shortest: 4, longest: 10, fewestTerms: 3, most: 8_000 };
const ENDING = { shortest: 2, longest: 7, fewestTerms: 5, most: 4_000 };
const SHORTEST_INNER_WORD = 5;

/**
 * Adds to the words what unseen ones are put together from: beginnings and endings that several terms share, each
 * standing for the mean of those (which is short where they have little in common), words inside of others, and
 * single characters, which stand for nothing.
 * @param projection row-major [terms, width]
 */
export function addSubWords(
  words: readonly string[],
  { stems, termOf }: Vocabulary,
  projection: Float32Array,
  width: number,
): TokenTable {
  const known = words
    .map((word, number) => ({ word, term: termOf[number]! }))
    .filter(({ term }) => term >= 0);
  known.sort((a, b) => a.term - b.term || (a.word < b.word ? -1 : 1));
  const rows = new Map<string, number>(SPECIAL_TOKENS.map((token) => [token, 0]));
  const add = (token: string, row: number) => void (rows.has(token) || rows.set(token, row));
  for (const { word, term } of known) add(word, term + 1);
  stems.forEach((stem, term) => add(stem, term + 1));
  for (const { word, term } of known) {
    if (word.length >= SHORTEST_INNER_WORD) add(CONTINUATION + word, term + 1);
  }
  const pieces: { token: string; terms: number[] }[] = [];
  for (const [token, terms] of sharedParts(known, PREFIX, (word, length) => word.slice(0, length))) {
    if (!rows.has(token)) pieces.push({ token, terms });
  }
  for (const [part, terms] of sharedParts(known, ENDING, (word, length) => word.slice(-length))) {
    if (!rows.has(CONTINUATION + part)) pieces.push({ token: CONTINUATION + part, terms });
  }
  pieces.forEach(({ token }, i) => add(token, stems.length + 1 + i));
  for (const character of new Set(known.flatMap(({ word }) => [...word]))) {
    add(character, 0);
    add(CONTINUATION + character, 0);
  }
  const table = new Float32Array((stems.length + 1 + pieces.length) * width);
  table.set(projection.subarray(0, stems.length * width), width);
  pieces.forEach(({ terms }, i) => addMean(table, (stems.length + 1 + i) * width, projection, terms, width));
  return { tokens: [...rows.keys()], rowOf: Int32Array.from(rows.values()), projection: table };
}

/** Parts of words that enough terms share, those that most share first, and these terms. */
function sharedParts(
  known: readonly { word: string; term: number }[],
  { shortest, longest, fewestTerms, most }: typeof PREFIX,
  partOf: (word: string, length: number) => string,
): [string, number[]][] {
  const sharers = new Map<string, number[]>();
  for (const { word, term } of known) {
    for (let length = shortest; length <= Math.min(longest, word.length - 1); length++) {
      const part = partOf(word, length);
      const terms = sharers.get(part);
      // Words come ordered by term.
      if (!terms) sharers.set(part, [term]);
      else if (terms.at(-1) !== term) terms.push(term);
    }
  }
  return [...sharers]
    .filter(([part, terms]) => terms.length >= fewestTerms && isWhole(part))
    .sort(([a, one], [b, other]) => other.length - one.length || (a < b ? -1 : 1))
    .slice(0, most);
}

/** Not cut within a character. */
function isWhole(part: string): boolean {
  return !/^[\uDC00-\uDFFF]|[\uD800-\uDBFF]$/.test(part);
}

function addMean(
  table: Float32Array,
  at: number,
  projection: Float32Array,
  terms: readonly number[],
  width: number,
): void {
  for (const term of terms) {
    for (let i = 0; i < width; i++) table[at + i]! += projection[term * width + i]! / terms.length;
  }
}
