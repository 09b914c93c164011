import type { LoadedModel, ModelSource } from "../../ports/inference-runtime.js";
import { reportModelLookup } from "../../telemetry/events.js";
import type { GraphSession } from "./graph-session.js";
import type { RunCost } from "./graph-trial.js";

/** A model that is loaded, with what its trial taught. */
export interface CachedModel extends LoadedModel {
  source: ModelSource;
  cost: RunCost | undefined;
  /** Present for a model that is run on the calling thread. */
  inline: GraphSession | undefined;
}

/** A thread that starts anew opens the files again: those of a model in use are kept from being dropped. */
const ENSURE_EVERY_MS = 5 * 60_000;

interface Entry {
  bytes: number;
  /** When its files were last known to be there. */
  ensuredAt: number;
  loading: Promise<CachedModel>;
  model: CachedModel | undefined;
  users: number;
  drained: (() => void) | undefined;
}

/** Loaded models by the bytes of their files, least recently used first out; never one that is in use. */
export class ModelCache {
  /** Least recently used first. */
  private readonly entries = new Map<string, Entry>();
  private bytes = 0;
  private waitingCalls = 0;

  constructor(
    private readonly limitBytes: number,
    private readonly load: (source: ModelSource) => Promise<CachedModel>,
    private readonly release: (model: CachedModel) => Promise<void>,
  ) {}

  get size(): number {
    return this.entries.size;
  }

  get usedBytes(): number {
    return this.bytes;
  }

  /** Calls that wait for a model to load. */
  get waiting(): number {
    return this.waitingCalls;
  }

  /** Calls `work` with the model, loaded once however many ask for it, and keeps it while the work goes on. */
  async use<T>(
    source: ModelSource,
    work: (model: CachedModel) => Promise<T>,
    caller: { readonly signal?: AbortSignal } = {},
  ): Promise<T> {
    const entry = this.touch(source);
    entry.users++;
    try {
      return await work(entry.model ?? (await this.loaded(entry, caller.signal)));
    } finally {
      entry.users--;
      if (entry.users === 0) entry.drained?.();
      this.evict();
    }
  }

  /** Forgets the model once nobody uses it; whoever asks meanwhile gets a fresh one. */
  async unload(key: string): Promise<void> {
    const entry = this.entries.get(key);
    if (!entry) return;
    this.forget(key, entry);
    if (entry.users > 0) await new Promise<void>((resolve) => (entry.drained = resolve));
    if (entry.model) await this.release(entry.model);
  }

  private async loaded(entry: Entry, signal: AbortSignal | undefined): Promise<CachedModel> {
    this.waitingCalls++;
    try {
      return await unlessAborted(entry.loading, signal);
    } finally {
      this.waitingCalls--;
    }
  }

  private touch(source: ModelSource): Entry {
    const { key, bytes } = source;
    const known = this.entries.get(key);
    reportModelLookup(known ? "hit" : "miss");
    if (known) {
      this.entries.delete(key);
      this.entries.set(key, known);
      ensureNowAndThen(known, source);
      return known;
    }
    const entry: Entry = {
      bytes,
      ensuredAt: Date.now(),
      loading: this.load(source),
      model: undefined,
      users: 0,
      drained: undefined,
    };
    this.entries.set(key, entry);
    this.bytes += bytes;
    entry.loading.then(
      (model) => (entry.model = model),
      () => {
        if (this.entries.get(key) === entry) this.forget(key, entry);
      },
    );
    return entry;
  }

  private evict(): void {
    if (this.bytes <= this.limitBytes) return;
    for (const [key, entry] of this.entries) {
      if (this.bytes <= this.limitBytes || this.entries.size === 1) return;
      if (entry.users > 0 || !entry.model) continue;
      this.forget(key, entry);
      // Its memory goes with its thread at the latest; nobody waits who could be told.
      this.release(entry.model).catch(() => undefined);
    }
  }

  private forget(key: string, entry: Entry): void {
    this.entries.delete(key);
    this.bytes -= entry.bytes;
  }
}

async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  let abort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason as Error);
    signal.addEventListener("abort", abort, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", abort!);
  }
}

function ensureNowAndThen(entry: Entry, source: ModelSource): void {
  if (!source.ensure || Date.now() - entry.ensuredAt < ENSURE_EVERY_MS) return;
  entry.ensuredAt = Date.now();
  // The model is loaded: a store that does not answer now is asked again later.
  source.ensure().catch(() => undefined);
}
