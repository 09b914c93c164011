import { splitSentences } from "./sentences.rules.js";
import type { Passage } from "./sentences.rules.js";
import { cutBefore } from "./text-cuts.rules.js";

export type { Passage } from "./sentences.rules.js";

export interface PassageOptions {
  /** Most tokens of a passage, at least 1. */
  budget: number;
  /** Tokens of a passage's end that the next one begins with again, at most; whole sentences only. */
  overlap: number;
  count: (text: string) => number;
}

/** A sentence, or a part of one that is longer than a passage may be. */
interface Piece extends Passage {
  tokens: number;
}

/** Below this many characters for each token of the budget a text may be one passage, which is worth a try. */
const CHARACTERS_A_TOKEN = 16;
/** Parts of a sentence that is too long have this share of the budget, so that they fill passages well. */
const PART_OF_BUDGET = 4;

/**
 * Passages of at most `budget` tokens that keep sentences whole and together cover the text; only white space
 * is left out between them. A text that fits is one passage, one of white space none.
 */
export function splitPassages(text: string, options: PassageOptions): Passage[] {
  const whole = trimmed(text, { start: 0, end: text.length });
  if (!whole) return [];
  const { budget, count } = options;
  const mayFit = whole.end - whole.start <= budget * CHARACTERS_A_TOKEN;
  if (mayFit && count(text.slice(whole.start, whole.end)) <= budget) return [whole];
  return pack(text, piecesOf(text, options), options);
}

function piecesOf(text: string, options: PassageOptions): Piece[] {
  const pieces: Piece[] = [];
  for (const sentence of splitSentences(text)) {
    const stretch = trimmed(text, sentence);
    if (!stretch) continue;
    const tokens = options.count(text.slice(stretch.start, stretch.end));
    if (tokens <= options.budget) pieces.push({ ...stretch, tokens });
    else pieces.push(...partsOf(text, stretch, tokens, options));
  }
  return pieces;
}

/** Cuts a sentence at white space, or between characters where there is none. */
function partsOf(text: string, { start, end }: Passage, tokens: number, options: PassageOptions): Piece[] {
  const { budget, count } = options;
  const parts: Piece[] = [];
  const length = Math.max(1, Math.floor((end - start) / Math.ceil((tokens * PART_OF_BUDGET) / budget)));
  for (let from = start; from < end;) {
    const to = Math.min(end, cutBefore(text, from, from + length));
    const part = trimmed(text, { start: from, end: to });
    from = to;
    if (!part) continue;
    const partTokens = count(text.slice(part.start, part.end));
    const divisible = part.end - part.start > 1 && (part.start > start || part.end < end);
    if (partTokens > budget && divisible) parts.push(...partsOf(text, part, partTokens, options));
    else parts.push({ ...part, tokens: partTokens });
  }
  return parts;
}

/** Fills one passage after another. */
function pack(text: string, pieces: readonly Piece[], { budget, overlap, count }: PassageOptions): Passage[] {
  const passages: Passage[] = [];
  for (let first = 0; first < pieces.length;) {
    let next = first;
    let tokens = 0;
    while (next < pieces.length && (next === first || tokens + pieces[next]!.tokens <= budget)) {
      tokens += pieces[next++]!.tokens;
    }
    // Joined, pieces may be more tokens than their sum.
    while (next > first + 1 && count(text.slice(pieces[first]!.start, pieces[next - 1]!.end)) > budget)
      next--;
    const passage = { start: pieces[first]!.start, end: pieces[next - 1]!.end };
    // A step back for the overlap must not end up where it began.
    if (passage.end > (passages.at(-1)?.end ?? -1)) passages.push(passage);
    if (next === pieces.length) break;
    first = Math.max(first + 1, stepBack(pieces, next, Math.min(overlap, budget - pieces[next]!.tokens)));
  }
  return passages;
}

/** The first of the pieces before `next` that together have at most so many tokens. */
function stepBack(pieces: readonly Piece[], next: number, tokens: number): number {
  let first = next;
  for (let left = tokens; first > 0; first--) {
    left -= pieces[first - 1]!.tokens;
    if (left < 0) break;
  }
  return first;
}

function trimmed(text: string, { start, end }: Passage): Passage | undefined {
  const stretch = text.slice(start, end);
  const from = start + (stretch.length - stretch.trimStart().length);
  const to = start + stretch.trimEnd().length;
  return from < to ? { start: from, end: to } : undefined;
}
