import { Tokenizer } from "@huggingface/tokenizers";
import { cutBefore, endsWord } from "./text-cuts.rules.js";
import { parseTokenizer } from "./tokenizer.rules.js";

/** A text as its encoder reads it. */
export interface EncodedText {
  /** Special tokens included. */
  ids: Int32Array;
  /** Whether tokens were left out. */
  truncated: boolean;
}

/** What is read of `tokenizer.json` beside what the library does. */
interface TokenizerFile {
  padding?: { pad_id?: number } | null;
  added_tokens?: { id: number; content: string }[];
}

/** Characters for each token that is wanted: more than any usual text needs, so that one try is enough. */
const CHARACTERS_A_TOKEN = 8;
/** Characters that are read of one text, however few tokens they make: gibberish without a space is one token. */
const MOST_READ = 65_536;
/** Longest text that the library is given at once: it takes more than linear time and stack for longer ones. */
const LONGEST_PIECE = 16_384;
/** Texts of which every vocabulary knows one. */
const PROBES = ["a", "1", ".", "的", "?"];
const PADDING_TOKENS = new Set(["[PAD]", "<pad>"]);

/** Texts to the ids of tokens, exactly as a `tokenizer.json` says; length is limited here. */
export class TextTokenizer {
  readonly paddingId: number;
  private readonly tokenizer: Tokenizer;
  private readonly before: number[];
  private readonly after: number[];

  /**
   * @param content of a tokenizer.json
   * @throws {Error} when it cannot be followed
   */
  constructor(content: string) {
    const file = parseTokenizer(content);
    // Everything that matters is in tokenizer.json; the second file only serves decoding.
    this.tokenizer = new Tokenizer(file, {});
    const { padding, added_tokens: added = [] }: TokenizerFile = file;
    const declared = added.find(({ content }) => PADDING_TOKENS.has(content))?.id;
    this.paddingId = padding?.pad_id ?? declared ?? 0;
    ({ before: this.before, after: this.after } = this.specialTokens());
  }

  /** Tokens that are put around every text. */
  get specials(): number {
    return this.before.length + this.after.length;
  }

  /** @param maxTokens special tokens included */
  encode(text: string, maxTokens: number): EncodedText {
    const room = Math.max(0, maxTokens - this.specials);
    const { ids, rest } = this.read(text, room);
    const kept = ids.length > room ? ids.slice(0, room) : ids;
    return {
      ids: Int32Array.from([...this.before, ...kept, ...this.after]),
      truncated: rest || ids.length > room,
    };
  }

  /** Tokens of the whole text, without special ones. */
  count(text: string): number {
    if (text.length <= LONGEST_PIECE) return this.ids(text).length;
    let count = 0;
    for (let start = 0; start < text.length;) {
      const end = cutBefore(text, start, start + LONGEST_PIECE);
      count += this.ids(text.slice(start, end)).length;
      start = end;
    }
    return count;
  }

  /** The first tokens, at least one more than there is room for where the text has them, and whether text is left. */
  private read(text: string, room: number): { ids: number[]; rest: boolean } {
    const most = Math.max(MOST_READ, room * CHARACTERS_A_TOKEN);
    for (let length = (room + 1) * CHARACTERS_A_TOKEN; ; length *= 2) {
      if (length >= text.length && text.length <= most) return { ids: this.ids(text), rest: false };
      const end = cutBefore(text, 0, Math.min(length, most));
      // Within a word, all of its tokens may be others than those of the whole word.
      const isSure = endsWord(text, end);
      if (!isSure && length < most) continue;
      const ids = this.ids(text.slice(0, end));
      if (ids.length > room || length >= most) return { ids, rest: true };
    }
  }

  private ids(text: string): number[] {
    return this.tokenizer.encode(text, { add_special_tokens: false }).ids;
  }

  /** What is put around a text, seen from one that has tokens. */
  private specialTokens(): { before: number[]; after: number[] } {
    const probe = PROBES.find((text) => this.ids(text).length > 0) ?? "";
    const plain = this.ids(probe);
    const { ids } = this.tokenizer.encode(probe);
    const extra = ids.length - plain.length;
    for (let start = 0; start <= extra; start++) {
      if (plain.every((id, i) => ids[start + i] === id)) {
        return { before: ids.slice(0, start), after: ids.slice(start + plain.length) };
      }
    }
    return { before: [], after: [] };
  }
}
