/** Marks that text search would take for those of paths, tags and addresses, and hide the words between them. */
const HIDING_MARKS = /[/<>?=&]/g;

/** Text as the lexical index reads it: composed characters, and words of their own in `TTF/NBP` and `70/bbl`. */
export function searchableText(text: string): string {
  return text.normalize("NFC").replace(HIDING_MARKS, " ");
}
