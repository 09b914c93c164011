import type { TextEmbedding } from "./embedding-cache.js";

/** A text that somebody waits for. */
export class WantedText {
  readonly embedding: Promise<TextEmbedding>;
  /** Told of the result before its callers are. */
  onResult: ((embedding: TextEmbedding) => void) | undefined;
  resolve!: (embedding: TextEmbedding) => void;
  reject!: (error: unknown) => void;
  private callers = 0;

  constructor(
    readonly key: string,
    readonly text: string,
  ) {
    this.embedding = new Promise<TextEmbedding>((resolve, reject) => {
      this.resolve = (embedding) => {
        this.onResult?.(embedding);
        resolve(embedding);
      };
      this.reject = reject;
    });
    // Its callers may all have gone.
    this.embedding.catch(() => undefined);
  }

  get abandoned(): boolean {
    return this.callers === 0;
  }

  join(): void {
    this.callers++;
  }

  leave(): void {
    this.callers--;
  }
}

/** Texts that are being embedded, so that equal ones of concurrent calls are computed once. */
export class SharedEmbeddings {
  private readonly underWay = new Map<string, WantedText>();

  /**
   * @param compute settles every text it is given; called at once with those that nobody else waits for
   * @throws the signal's reason as soon as it is aborted
   */
  async get(
    texts: readonly { key: string; text: string }[],
    priority: string,
    signal: AbortSignal | undefined,
    compute: (fresh: readonly WantedText[]) => Promise<void>,
  ): Promise<TextEmbedding[]> {
    const fresh: WantedText[] = [];
    const wanted = texts.map(({ key, text }) => {
      const place = `${priority}:${key}`;
      let shared = this.underWay.get(place);
      if (!shared || shared.abandoned) {
        shared = new WantedText(key, text);
        this.keep(place, shared);
        fresh.push(shared);
      }
      shared.join();
      return shared;
    });
    if (fresh.length > 0) {
      compute(fresh).catch((error: unknown) => {
        for (const text of fresh) text.reject(error);
      });
    }
    try {
      return await unlessAborted(Promise.all(wanted.map(({ embedding }) => embedding)), signal);
    } finally {
      for (const text of wanted) text.leave();
    }
  }

  private keep(place: string, text: WantedText): void {
    this.underWay.set(place, text);
    const forget = () => {
      if (this.underWay.get(place) === text) this.underWay.delete(place);
    };
    text.embedding.then(forget, forget);
  }
}

async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  let abort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason as Error);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", abort!);
  }
}
