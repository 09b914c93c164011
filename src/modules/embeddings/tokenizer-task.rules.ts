import { splitPassages } from "./passages.rules.js";
import type { Passage } from "./passages.rules.js";
import type { EncodedText, TextTokenizer } from "./text-tokenizer.rules.js";

/** A text to split, and what is put before each of its passages when that is embedded. */
export interface PassageSource {
  text: string;
  lead?: string | null;
}

/** Work for a tokenizer, as it crosses to its thread. */
export type TokenizerTask =
  | { kind: "encode"; texts: readonly string[]; maxTokens: number }
  | { kind: "count"; texts: readonly string[] }
  | {
      kind: "split";
      documents: readonly PassageSource[];
      /** Put before each passage when it is embedded. */
      prefix: string;
      maxTokens: number;
      /** Tokens; an eighth of a passage's budget when absent. */
      overlap?: number;
    };

export interface TokenizerResults {
  encode: { texts: EncodedText[]; paddingId: number };
  /** Tokens of each whole text, special ones included. */
  count: number[];
  split: Passage[][];
}

const OVERLAP_SHARE = 8;
/** A lead leaves at least this share of a passage to the text: beyond that it is the lead that is too long. */
const LEAST_SHARE_OF_TEXT = 4;

export function performTask<Kind extends TokenizerTask["kind"]>(
  tokenizer: TextTokenizer,
  task: Extract<TokenizerTask, { kind: Kind }>,
): TokenizerResults[Kind];
export function performTask(
  tokenizer: TextTokenizer,
  task: TokenizerTask,
): TokenizerResults[TokenizerTask["kind"]] {
  switch (task.kind) {
    case "encode": {
      const texts = task.texts.map((text) => tokenizer.encode(text, task.maxTokens));
      return { texts, paddingId: tokenizer.paddingId };
    }
    case "count":
      return task.texts.map((text) => tokenizer.count(text) + tokenizer.specials);
    case "split": {
      const count = (text: string) => tokenizer.count(text);
      const room = Math.max(1, task.maxTokens - tokenizer.specials - count(task.prefix));
      return task.documents.map(({ text, lead }) => {
        const left = room - (lead ? count(lead) : 0);
        const budget = Math.max(1, left, Math.floor(room / LEAST_SHARE_OF_TEXT));
        const overlap = task.overlap ?? Math.floor(budget / OVERLAP_SHARE);
        return splitPassages(text, { budget, overlap, count });
      });
    }
  }
}
