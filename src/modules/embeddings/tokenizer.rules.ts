import { Tokenizer } from "@huggingface/tokenizers";

/** A tokenizer.json that cannot be followed exactly; the message tells its owner why. */
export class UnfitTokenizerError extends Error {
  override readonly name = "UnfitTokenizerError";
}

export interface TokenizerFile {
  tokenizer: Tokenizer;
  /** The largest id that a text can get. */
  largestId: number;
  /** `truncation.max_length`; null where the file does not say. */
  maxLength: number | null;
}

const fileName = "tokenizer.json";
const kinds: readonly string[] = ["WordPiece", "BPE", "Unigram"];

/**
 * A Hugging Face tokenizer from the content of its tokenizer.json.
 * @throws {UnfitTokenizerError} for what is no such file, or asks for something that the library does not do
 */
export function readTokenizer(content: string): TokenizerFile {
  const parsed = parseTokenizer(content);
  let tokenizer: Tokenizer;
  try {
    tokenizer = new Tokenizer(parsed, {});
  } catch (error) {
    throw new UnfitTokenizerError(`${fileName} cannot be read: ${messageOf(error)}`, { cause: error });
  }
  return { tokenizer, largestId: largestId(tokenizer.model!.tokens_to_ids), maxLength: maxLength(parsed) };
}

/**
 * What the library takes, from the content of a tokenizer.json.
 * @throws {UnfitTokenizerError} for what is no such file, or asks for something that the library does not do
 */
export function parseTokenizer(content: string): Record<string, unknown> {
  const parsed = parse(content);
  const kind = kindOf(parsed.model as TokenizerModel);
  if (kind === undefined || !kinds.includes(kind)) {
    const named = kind === undefined ? "of an unknown kind" : `of the kind ${kind}`;
    throw new UnfitTokenizerError(`${fileName} is ${named}; ${kinds.join(", ")} are read`);
  }
  assertFollowed(parsed);
  return parsed;
}

/**
 * Ids of a text, special tokens included.
 * @throws {UnfitTokenizerError} when it has no id for a part of the text
 */
export function tokenIds(tokenizer: Tokenizer, text: string): number[] {
  const { ids, tokens } = tokenizer.encode(text);
  const unknown = (ids as (number | undefined)[]).findIndex((id) => id === undefined || id === null);
  if (unknown >= 0)
    throw new UnfitTokenizerError(
      `${fileName} has no id for ${JSON.stringify(tokens[unknown] ?? "unknown")}`,
    );
  return ids;
}

function parse(content: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(content);
  } catch (error) {
    throw new UnfitTokenizerError(`${fileName} is not JSON: ${messageOf(error)}`, { cause: error });
  }
  if (!isObject(parsed) || !isObject(parsed.model))
    throw new UnfitTokenizerError(`${fileName} is not a Hugging Face tokenizer: it has no model`);
  // The native library reads what is absent as null; this one insists on it.
  const empty = {
    normalizer: null,
    pre_tokenizer: null,
    post_processor: null,
    decoder: null,
    added_tokens: [],
  };
  return { ...empty, ...parsed };
}

interface TokenizerModel {
  type?: unknown;
  vocab?: unknown;
  continuing_subword_prefix?: unknown;
  unk_token?: unknown;
  merges?: unknown;
}

/** Files of early versions do not name the kind; the library tells it by the same signs. */
function kindOf(model: TokenizerModel): string | undefined {
  if (typeof model.type === "string") return model.type;
  if (Array.isArray(model.vocab)) return "Unigram";
  if (!("continuing_subword_prefix" in model && "unk_token" in model)) return undefined;
  return "merges" in model ? "BPE" : "WordPiece";
}

/** Options that the library reads without a word and does otherwise. */
function assertFollowed({ pre_tokenizer, added_tokens }: Record<string, unknown>): void {
  for (const step of stepsOf(pre_tokenizer)) {
    const { type, behavior, invert } = step as { type?: string; behavior?: string; invert?: boolean };
    const done =
      type === "Split"
        ? invert
          ? behavior === "Removed"
          : behavior === "Removed" || behavior === "Isolated"
        : type !== "Punctuation" || behavior === "Contiguous";
    if (!done)
      throw new UnfitTokenizerError(
        `${fileName}: the pre-tokenizer ${type} with behavior ${behavior}${invert ? ", inverted," : ""} is not supported`,
      );
  }
  const single = (added_tokens as { content?: string; single_word?: boolean }[]).find(
    (token) => token.single_word,
  );
  if (single)
    throw new UnfitTokenizerError(
      `${fileName}: the added token ${single.content} is single_word, which is not supported`,
    );
}

function stepsOf(step: unknown): object[] {
  if (typeof step !== "object" || step === null) return [];
  const { pretokenizers } = step as { pretokenizers?: unknown };
  return Array.isArray(pretokenizers) ? pretokenizers.flatMap(stepsOf) : [step];
}

function largestId(ids: ReadonlyMap<string, number>): number {
  let largest = -1;
  for (const [token, id] of ids) {
    if (!Number.isSafeInteger(id) || id < 0 || id > 2 ** 31 - 1)
      throw new UnfitTokenizerError(`${fileName}: the id of ${JSON.stringify(token)} is ${id}`);
    largest = Math.max(largest, id);
  }
  if (largest < 0) throw new UnfitTokenizerError(`${fileName} has no vocabulary`);
  return largest;
}

function maxLength({ truncation }: Record<string, unknown>): number | null {
  const length = (truncation as { max_length?: unknown } | null | undefined)?.max_length;
  return typeof length === "number" && Number.isSafeInteger(length) && length > 0 ? length : null;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
