import { readFile } from "node:fs/promises";
import { LRUCache } from "lru-cache";
import { UnavailableError } from "../../shared/errors.js";
import type { Passage } from "./passages.rules.js";
import { TextTokenizer } from "./text-tokenizer.rules.js";
import type { EncodedText } from "./text-tokenizer.rules.js";
import { performTask } from "./tokenizer-task.rules.js";
import type { PassageSource, TokenizerResults } from "./tokenizer-task.rules.js";
import { TokenizerThread } from "./tokenizer-thread.js";
import type { TokenizerFile } from "./tokenizer-thread.js";

/** Characters that take about a millisecond: as much as the calling thread may do for one call. */
const INLINE_CHARACTERS = 4_000;
/** A file of this size takes 50 ms to load, once; larger ones, of many languages, seconds. */
const INLINE_FILE_BYTES = 1 << 20;
const MOST_INLINE = 8;
/** Characters of one message to the thread, which others wait for. */
const MESSAGE_CHARACTERS = 65_536;

/** Tokenisers by their files: short texts are tokenised at once, everything else in a thread. */
export class TextTokenizers {
  private readonly thread = new TokenizerThread();
  private readonly inline = new LRUCache<string, Promise<TextTokenizer>>({ max: MOST_INLINE });

  /** @param maxTokens of each text, special tokens included; further ones are cut off */
  async encode(
    file: TokenizerFile,
    texts: readonly string[],
    maxTokens: number,
    priority: "interactive" | "bulk",
  ): Promise<TokenizerResults["encode"]> {
    if (priority === "interactive" && file.bytes <= INLINE_FILE_BYTES && fewerCharacters(texts)) {
      return performTask(await this.load(file), { kind: "encode", texts, maxTokens });
    }
    const encoded: EncodedText[] = [];
    let paddingId = 0;
    const parts = portions(texts, (text) => text.length).map((part) =>
      this.thread.run(file, { kind: "encode", texts: part, maxTokens }, priority),
    );
    for (const part of await Promise.all(parts)) {
      encoded.push(...part.texts);
      ({ paddingId } = part);
    }
    return { texts: encoded, paddingId };
  }

  /** Tokens of a whole text, special ones included. */
  async count(file: TokenizerFile, text: string): Promise<number> {
    const [count] = await this.thread.run(file, { kind: "count", texts: [text] }, "interactive");
    return count!;
  }

  async split(
    file: TokenizerFile,
    documents: readonly PassageSource[],
    options: { prefix: string; maxTokens: number; overlap?: number },
  ): Promise<Passage[][]> {
    const parts = portions(documents, ({ text }) => text.length).map((part) =>
      this.thread.run(file, { kind: "split", documents: part, ...options }, "bulk"),
    );
    return (await Promise.all(parts)).flat();
  }

  close(): Promise<void> {
    return this.thread.close();
  }

  private load(file: TokenizerFile): Promise<TextTokenizer> {
    const known = this.inline.get(file.key);
    if (known) return known;
    const loading = readFile(file.path, "utf8")
      .then((json) => new TextTokenizer(json))
      .catch((cause: Error) => {
        throw new UnavailableError(`The tokenizer does not work: ${cause.message}`, { cause });
      });
    this.inline.set(file.key, loading);
    loading.catch(() => this.inline.delete(file.key));
    return loading;
  }
}

function fewerCharacters(texts: readonly string[]): boolean {
  let characters = 0;
  for (const { length } of texts) characters += length;
  return characters <= INLINE_CHARACTERS;
}

/** Cuts a list into parts of about as many characters as one message may have. */
function portions<T>(items: readonly T[], lengthOf: (item: T) => number): T[][] {
  const parts: T[][] = [];
  let characters = Infinity;
  for (const item of items) {
    const length = lengthOf(item);
    if (characters + length > MESSAGE_CHARACTERS) {
      parts.push([]);
      characters = 0;
    }
    parts.at(-1)!.push(item);
    characters += length;
  }
  return parts;
}
