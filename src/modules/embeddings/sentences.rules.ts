import { cutBefore } from "./text-cuts.rules.js";

/** A stretch of a text, in UTF-16 units, end exclusive. */
export interface Passage {
  start: number;
  end: number;
}

const sentences = new Intl.Segmenter("en", { granularity: "sentence" });
/** The segmenter takes quadratic time: 100,000 characters at once cost 100 ms, in windows of this size 3 ms. */
const WINDOW = 4_096;
/** A line break within a sentence, as in text of a fixed width: what follows goes on in lower case. */
const WRAPPED_LINE = /(?<=[\p{L}\p{N},;:)])(?:\r\n|\n)(?=[\p{Ll}(])/gu;

/** The sentences of a text, white space behind them included: together they are the text. */
export function splitSentences(text: string): Passage[] {
  const found: Passage[] = [];
  for (let start = 0; start < text.length;) {
    const limit = start + WINDOW;
    const isLast = limit >= text.length;
    const end = isLast ? text.length : cutBefore(text, start, limit);
    const within = sentencesWithin(text, start, end);
    // The last one may go on behind the window, unless it fills it.
    if (!isLast && within.length > 1) within.pop();
    found.push(...within);
    start = found.at(-1)!.end;
  }
  return found;
}

function sentencesWithin(text: string, start: number, end: number): Passage[] {
  const window = text.slice(start, end).replace(WRAPPED_LINE, (lineBreak) => " ".repeat(lineBreak.length));
  return Array.from(sentences.segment(window), ({ index, segment }) => ({
    start: start + index,
    end: start + index + segment.length,
  }));
}
