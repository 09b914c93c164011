import { LRUCache } from "lru-cache";
import { reportSearchCache } from "../../telemetry/events.js";

/** Beside what an answer's own size says. */
const OVERHEAD_BYTES = 1_000;

/** Answers by key: those that were found lately, and those that are being found. */
export class SearchCache<T extends object> {
  private readonly kept: LRUCache<string, T>;
  private readonly underWay = new Map<string, Promise<T>>();

  /** @param sizeOf bytes of an answer */
  constructor(maxBytes: number, sizeOf: (answer: T) => number) {
    const sizeCalculation = (answer: T) => sizeOf(answer) + OVERHEAD_BYTES;
    this.kept = new LRUCache({ maxSize: maxBytes, sizeCalculation });
  }

  /**
   * Who asks while another is waiting for the same answer waits with it. A failure is not kept.
   * @param key changes whenever the answer may
   */
  async get(key: string, find: () => Promise<T>): Promise<T> {
    const known = this.kept.get(key);
    const pending = known ? undefined : this.underWay.get(key);
    reportSearchCache(known ? "hit" : pending ? "shared" : "miss");
    if (known) return known;
    if (pending) return pending;
    const found = find();
    this.underWay.set(key, found);
    try {
      const answer = await found;
      this.kept.set(key, answer);
      return answer;
    } finally {
      this.underWay.delete(key);
    }
  }
}
