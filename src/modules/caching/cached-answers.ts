import { createHash } from "node:crypto";
import type { Cache } from "../../ports/cache.js";
import { reportCacheLookups } from "../../telemetry/events.js";

/** A cache, and how long it may keep what it is given. */
export interface AnswerStore {
  cache: Cache;
  seconds: number;
}

export interface AnswerFormat<T> {
  /** Part of the key: another release that writes another format has another number, and is not misread. */
  schema: number;
  encode(answer: T): Uint8Array;
  /** @throws for bytes that are none */
  decode(bytes: Uint8Array): T;
}

/**
 * Answers by key: those that were found lately, by this process or another, and those that this one is finding.
 * Equal questions at one time are one within a process; two processes may both find an answer, which costs less
 * than a lock that both wait for.
 */
export class CachedAnswers<T> {
  private readonly underWay = new Map<string, Promise<T>>();

  /** @param name of the answers, in metrics and keys */
  constructor(
    private readonly name: string,
    private readonly store: AnswerStore,
    private readonly format: AnswerFormat<T>,
  ) {}

  /**
   * A failure is not kept.
   * @param parts all that the answer depends on, with something that changes whenever it may; nothing of who asks
   */
  async get(parts: readonly unknown[], find: () => Promise<T>): Promise<T> {
    const digest = createHash("sha256").update(JSON.stringify(parts)).digest("base64url");
    const key = `${this.name}:${this.format.schema}:${digest}`;
    const pending = this.underWay.get(key);
    if (pending) {
      reportCacheLookups(this.name, { shared: 1 });
      return pending;
    }
    const answer = this.lookUp(key, find);
    this.underWay.set(key, answer);
    try {
      return await answer;
    } finally {
      this.underWay.delete(key);
    }
  }

  private async lookUp(key: string, find: () => Promise<T>): Promise<T> {
    const known = await this.read(key);
    reportCacheLookups(this.name, known ? { hit: 1 } : { miss: 1 });
    if (known) return known.answer;
    const answer = await find();
    void this.store.cache.set(key, this.format.encode(answer), this.store.seconds);
    return answer;
  }

  private async read(key: string): Promise<{ answer: T } | undefined> {
    const bytes = await this.store.cache.get(key);
    if (!bytes) return undefined;
    try {
      return { answer: this.format.decode(bytes) };
    } catch {
      // Somebody else wrote into our keys: as good as nothing.
      return undefined;
    }
  }
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Answers as JSON. @param revive makes of what was read what was written, e.g. dates */
export function asJson<T>(schema: number, revive: (read: T) => T = (read) => read): AnswerFormat<T> {
  return {
    schema,
    encode: (answer) => encoder.encode(JSON.stringify(answer)),
    decode: (bytes) => revive(JSON.parse(decoder.decode(bytes)) as T),
  };
}
