/** Where to look for the matches of a query. */
export interface HighlightSource {
  title: string | null;
  /** The passage that was found. */
  text: string;
}

/** Stretch of a text. */
interface Span {
  start: number;
  end: number;
}

interface Match extends Span {
  /** Of the query. */
  lexemes: string[];
}

/** Of the text that is shown, in UTF-16 units; markup and escapes come on top. */
const SHOWN = 300;
/** What precedes the first match, so that it is seen where it stands. */
const LEAD = 60;
/** Of a passage; what follows is not looked at. */
const SEARCHED = 50_000;
const STEM_LETTERS = 3;

const CHUNK = /\S+/gu;
const WORD = /[\p{L}\p{N}\p{M}_]+/gu;
const OUTER_MARKS = /^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu;

/**
 * Words of a text that may match the query: those that begin as one of its lexemes does. Which do, only the text
 * search configuration knows.
 */
export function wordsToLookUp(sources: readonly HighlightSource[], lexemes: readonly string[]): string[] {
  const beginnings = new Set(lexemes.map((lexeme) => plain(lexeme).slice(0, STEM_LETTERS)));
  const words = new Set<string>();
  for (const { title, text } of sources) {
    for (const part of [title ?? "", searched(text)]) {
      for (const { word } of candidates(part)) if (beginsAs(word, beginnings)) words.add(word);
    }
  }
  return [...words];
}

/**
 * The part of a passage with most of the query's words, each match between `<em>` and `</em>`, everything else
 * escaped; where only the title has any, the title and the beginning of the passage.
 * @param lexemesOf what a word looked up means; undefined: nothing of the query
 */
export function highlight(
  source: HighlightSource,
  lexemesOf: (word: string) => readonly string[] | undefined,
  query: ReadonlySet<string>,
): string {
  const text = searched(source.text);
  const inText = matchesIn(text, lexemesOf, query);
  const inTitle = inText.length > 0 || source.title === null ? [] : matchesIn(source.title, lexemesOf, query);
  if (inTitle.length === 0) return marked(text, bestWindow(text, inText), inText);
  const title = marked(source.title!, cutTo(source.title!, { start: 0, end: SHOWN }), inTitle);
  const room = Math.max(0, SHOWN - source.title!.length);
  const rest = cutTo(text, { start: 0, end: room });
  return rest.end > rest.start ? `${title}: ${marked(text, rest, [])}` : title;
}

function searched(text: string): string {
  return text.length > SEARCHED ? text.slice(0, SEARCHED) : text;
}

function beginsAs(word: string, beginnings: ReadonlySet<string>): boolean {
  const start = plain(word).slice(0, STEM_LETTERS);
  for (let letters = 1; letters <= start.length; letters++) {
    if (beginnings.has(start.slice(0, letters))) return true;
  }
  return false;
}

/** Without accents: stemmers take them off in some languages. */
function plain(word: string): string {
  return word.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}

/** Words, and what stands between white space as a whole: addresses and numbers are one lexeme. */
function* candidates(text: string): Generator<{ word: string; start: number; whole: boolean }> {
  for (const { 0: chunk, index } of text.matchAll(CHUNK)) {
    const lead = /^[^\p{L}\p{N}]*/u.exec(chunk)![0].length;
    const whole = chunk.replace(OUTER_MARKS, "");
    const words = [...chunk.matchAll(WORD)];
    if (whole !== "" && words.length > 1) yield { word: whole, start: index + lead, whole: true };
    for (const { 0: word, index: at } of words) yield { word, start: index + at, whole: false };
  }
}

function matchesIn(
  text: string,
  lexemesOf: (word: string) => readonly string[] | undefined,
  query: ReadonlySet<string>,
): Match[] {
  const matches: Match[] = [];
  let wholes: Match[] = [];
  for (const { word, start, whole } of candidates(text)) {
    const lexemes = lexemesOf(word)?.filter((lexeme) => query.has(lexeme)) ?? [];
    if (lexemes.length === 0) continue;
    const match = { start, end: start + word.length, lexemes };
    if (whole) wholes.push(match);
    else {
      matches.push(match);
      // Its parts say more exactly where the match is.
      wholes = wholes.filter(({ end }) => end < match.end);
    }
  }
  return [...matches, ...wholes].sort((a, b) => a.start - b.start);
}

/** The stretch with most different words of the query, then most matches, then the first. */
function bestWindow(text: string, matches: readonly Match[]): Span {
  let best = { start: 0, distinct: 0, count: 0 };
  for (const [i, { start }] of matches.entries()) {
    const distinct = new Set<string>();
    let count = 0;
    for (let j = i; j < matches.length && matches[j]!.end <= start - LEAD + SHOWN; j++) {
      for (const lexeme of matches[j]!.lexemes) distinct.add(lexeme);
      count++;
    }
    const better = distinct.size - best.distinct || count - best.count;
    if (better > 0) best = { start: Math.max(0, start - LEAD), distinct: distinct.size, count };
  }
  return cutTo(text, { start: best.start, end: best.start + SHOWN });
}

/** Begins and ends between words where there are any, and never within a character. */
function cutTo(text: string, { start, end }: Span): Span {
  let [from, to] = [start, Math.min(end, text.length)];
  if (from > 0) {
    const space = text.slice(from, from + LEAD).search(/\s/u);
    if (space >= 0) from += space;
  }
  if (to < text.length) {
    const space = text.slice(to - LEAD, to).search(/\s\S*$/u);
    if (space > 0 && to - LEAD + space > from) to += space - LEAD;
  }
  while (from < to && /\s/u.test(text[from]!)) from++;
  while (to > from && /\s/u.test(text[to - 1]!)) to--;
  if (isInsidePair(text, from)) from--;
  if (isInsidePair(text, to)) to--;
  return { start: from, end: to };
}

function isInsidePair(text: string, at: number): boolean {
  const code = text.codePointAt(at - 1);
  return at > 0 && code !== undefined && code > 0xffff;
}

function marked(text: string, { start, end }: Span, matches: readonly Match[]): string {
  let shown = "";
  let at = start;
  for (const match of matches) {
    if (match.start < at || match.end > end) continue;
    shown += `${escaped(text.slice(at, match.start))}<em>${escaped(text.slice(match.start, match.end))}</em>`;
    at = match.end;
  }
  return shown + escaped(text.slice(at, end));
}

const ESCAPES: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ESCAPES[character]!);
}
