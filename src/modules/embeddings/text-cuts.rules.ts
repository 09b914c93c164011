const WHITE_SPACE = /\s/;
/** How far back from the wanted place a cut looks for white space. */
const LOOK_BACK = 1_000;

/**
 * Where to end a piece of text that starts at `start`: at most at `limit`, before white space if there is some
 * near (most tokenizers count a space to the word behind it), and never within a character.
 * @returns beyond `start`, so that a loop over pieces ends: beyond the limit where the first character is longer
 */
export function cutBefore(text: string, start: number, limit: number): number {
  if (limit >= text.length) return text.length;
  const earliest = Math.max(start, limit - LOOK_BACK);
  for (let end = limit; end > earliest; end--) {
    if (endsWord(text, end)) return end;
  }
  return wholeCharacter(text, start, limit);
}

/** Whether white space begins at this place. */
export function endsWord(text: string, end: number): boolean {
  return end < text.length && WHITE_SPACE.test(text[end]!) && !WHITE_SPACE.test(text[end - 1]!);
}

const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" });
/** Longer than any character that is meant to be one. */
const LONGEST_CHARACTER = 64;

/**
 * The last border between characters in (start, limit], else the first one behind; where a character is absurdly
 * long, one between surrogates.
 */
function wholeCharacter(text: string, start: number, limit: number): number {
  const from = Math.max(start, limit - LONGEST_CHARACTER);
  const safe = from > start && isLowSurrogate(text, from) ? from - 1 : from;
  let border = safe;
  for (const { index, segment } of graphemes.segment(text.slice(safe, limit + LONGEST_CHARACTER))) {
    const next = safe + index + segment.length;
    if (next > limit) {
      if (border > safe) return border;
      if (segment.length < LONGEST_CHARACTER) return next;
      break;
    }
    border = next;
  }
  const end = isLowSurrogate(text, limit) ? limit - 1 : limit;
  return end > start ? end : limit + 1;
}

function isLowSurrogate(text: string, index: number): boolean {
  const unit = text.charCodeAt(index);
  return unit >= 0xdc00 && unit <= 0xdfff;
}
