/** A text that waits for its vector. */
export interface WaitingText {
  /** Tokens. */
  length: number;
  /** Nobody wants it any more. */
  abandoned: boolean;
}

export interface BatchLimits {
  /** Padded tokens of a batch; one text may have more. */
  tokens: number;
  texts: number;
}

/** A text this much shorter than the batch's longest costs more in padding than in a batch of its own. */
const SHORTEST_SHARE = 0.8;
/** Differences of a few tokens never matter. */
const NEGLIGIBLE_TOKENS = 8;

interface Call<T> {
  /** Shortest first; some may have been taken. */
  texts: T[];
}

/**
 * Texts of one encoder that wait, from all callers. Callers take turns, so that a query never stands behind all
 * of a long list; each batch begins with the longest text of whose turn it is and is filled with texts of any
 * caller that are hardly shorter.
 */
export class WaitingTexts<T extends WaitingText> {
  /** All of them, shortest first. */
  private sorted: T[] = [];
  private calls: Call<T>[] = [];
  private readonly taken = new WeakSet<T>();

  get isEmpty(): boolean {
    return this.sorted.length === 0;
  }

  add(texts: readonly T[]): void {
    const call = { texts: [...texts].sort(byLength) };
    this.calls.push(call);
    this.sorted = this.sorted.length === 0 ? [...call.texts] : merge(this.sorted, call.texts);
  }

  /** @returns empty when nothing is wanted any more */
  take(limits: BatchLimits): T[] {
    const longest = this.nextLongest();
    if (!longest) return [];
    const batch = [longest];
    const shortest = Math.min(longest.length * SHORTEST_SHARE, longest.length - NEGLIGIBLE_TOKENS);
    const most = Math.min(limits.texts, Math.floor(limits.tokens / Math.max(1, longest.length)));
    this.sorted.splice(this.sorted.indexOf(longest), 1);
    const end = this.countUpTo(longest.length);
    let start = end;
    for (; start > 0 && batch.length < most; start--) {
      const text = this.sorted[start - 1]!;
      if (text.length < shortest) break;
      if (!text.abandoned) batch.push(text);
    }
    this.sorted.splice(start, end - start);
    for (const text of batch) this.taken.add(text);
    return batch;
  }

  /** How many of the sorted texts are not longer. */
  private countUpTo(length: number): number {
    let [low, high] = [0, this.sorted.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.sorted[middle]!.length <= length) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Of the call whose turn it is, which then goes to the end of the line. */
  private nextLongest(): T | undefined {
    for (;;) {
      const call = this.calls.shift();
      if (!call) {
        this.sorted = [];
        return undefined;
      }
      for (;;) {
        const text = call.texts.pop();
        if (!text) break;
        if (text.abandoned || this.taken.has(text)) continue;
        if (call.texts.length > 0) this.calls.push(call);
        return text;
      }
    }
  }
}

function byLength(a: WaitingText, b: WaitingText): number {
  return a.length - b.length;
}

function merge<T extends WaitingText>(left: readonly T[], right: readonly T[]): T[] {
  const merged: T[] = [];
  let i = 0;
  for (const text of right) {
    while (i < left.length && left[i]!.length <= text.length) merged.push(left[i++]!);
    merged.push(text);
  }
  while (i < left.length) merged.push(left[i++]!);
  return merged;
}
