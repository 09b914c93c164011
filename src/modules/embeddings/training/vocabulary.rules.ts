import { stemmer } from "./word-stems.rules.js";

/** The words that count, and the terms that they are counted as. */
export interface Vocabulary {
  /** Stem of each term, the most frequent first. */
  stems: string[];
  /** Term of each word by its number; -1 where the word is left out. */
  termOf: Int32Array;
}

/**
 * Reduces words to terms and keeps the terms that most texts have.
 * @param words every word, at its number
 * @param texts numbers of words
 */
export function chooseVocabulary(
  words: readonly string[],
  texts: readonly Uint32Array[],
  { language, mostTerms }: { language: string; mostTerms: number },
): Vocabulary {
  const stem = stemmer(language);
  const numbers = new Map<string, number>();
  const stemOf = Uint32Array.from(words, (word) => {
    const form = stem(word);
    if (!numbers.has(form)) numbers.set(form, numbers.size);
    return numbers.get(form)!;
  });
  const frequencies = textFrequencies(texts, stemOf, numbers.size);
  // Words of texts that were replaced may have gone; ties go by spelling, so that the order of texts does not matter.
  const stems = [...numbers.keys()]
    .filter((form) => frequencies[numbers.get(form)!]! > 0)
    .sort((a, b) => frequencies[numbers.get(b)!]! - frequencies[numbers.get(a)!]! || (a < b ? -1 : 1))
    .slice(0, mostTerms);
  const terms = new Int32Array(numbers.size).fill(-1);
  stems.forEach((form, term) => (terms[numbers.get(form)!] = term));
  return { stems, termOf: Int32Array.from(stemOf, (form) => terms[form]!) };
}

function textFrequencies(texts: readonly Uint32Array[], stemOf: Uint32Array, stems: number): Uint32Array {
  const frequencies = new Uint32Array(stems);
  const lastText = new Int32Array(stems).fill(-1);
  texts.forEach((text, number) => {
    for (const word of text) {
      const form = stemOf[word]!;
      if (lastText[form] === number) continue;
      lastText[form] = number;
      frequencies[form]!++;
    }
  });
  return frequencies;
}
