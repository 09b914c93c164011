import type { InferenceRuntime } from "../../ports/inference-runtime.js";
import { reportVersionNotServed, reportVersionServed } from "../../telemetry/events.js";
import type { Stage } from "./model-version.entity.js";
import type { ServedVersion } from "./served-version.js";

/** A stage that holds one version of a model at most, and the version that this process serves for it. */
interface Pointer {
  model: string;
  stage: Stage;
  serving: Promise<ServedVersion>;
  /** What `serving` has come to. */
  current?: ServedVersion;
  /** On the way to another version, which is being loaded. */
  move?: { to: string; done: Promise<void> };
  /** The version that did not load when last tried; not tried again before a moment (`performance.now`). */
  failure?: { version: string; times: number; retryAt: number };
}

/** Waits after a version did not load, doubled with each failure. */
const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 60_000;

/** The versions that answer for stages: one that is replaced serves until its successor is warm. */
export class StagePointers {
  private readonly pointers = new Map<string, Pointer>();

  constructor(
    private readonly runtime: InferenceRuntime,
    /** Reads a version and lays its files out. */
    private readonly find: (versionId: string) => Promise<ServedVersion>,
  ) {}

  /** @param look finds the version where nobody has asked before; a failure is never remembered */
  resolve(model: string, stage: Stage, look: () => Promise<ServedVersion>): Promise<ServedVersion> {
    const known = this.pointers.get(keyOf(model, stage));
    if (known) return known.serving;
    const pointer: Pointer = { model, stage, serving: look() };
    this.pointers.set(keyOf(model, stage), pointer);
    pointer.serving.then(
      (served) => (pointer.current = served),
      () => this.drop(pointer),
    );
    return pointer.serving;
  }

  /** Ids of the models whose stages are served. */
  models(): string[] {
    const ids = [...this.pointers.values()].flatMap(({ current }) => (current ? [current.model.id] : []));
    return [...new Set(ids)];
  }

  /**
   * Sends every pointer to where the database says, on which it goes once the version there is warm. What fails to
   * load is reported, and tried again by a later call.
   * @param inStage id of the version in a stage of a model
   * @returns whether any of them had to move
   */
  follow(inStage: (modelId: string, stage: Stage) => string | undefined): boolean {
    let moved = false;
    for (const pointer of this.pointers.values()) {
      // One that is being looked up is compared the next time.
      if (pointer.current)
        moved = this.send(pointer, inStage(pointer.current.model.id, pointer.stage)) || moved;
    }
    return moved;
  }

  /** Resolves once the pointers of a model are where they are sent, or have failed. */
  async settled(model: string): Promise<void> {
    const ours = [...this.pointers.values()].filter((pointer) => pointer.model === model);
    // What was looked up before the change may be of before it.
    for (const pointer of ours) if (!pointer.current) this.drop(pointer);
    await Promise.all(ours.flatMap(({ move }) => (move ? [move.done] : [])));
  }

  private send(pointer: Pointer, wanted: string | undefined): boolean {
    const { current, move, failure } = pointer;
    if (wanted === undefined) {
      this.drop(pointer);
      return true;
    }
    if (wanted === current!.version.id) {
      pointer.move = undefined;
      return false;
    }
    const waits = failure?.version === wanted && failure.retryAt > performance.now();
    if (wanted === move?.to || waits) return false;
    const sent = { to: wanted, done: Promise.resolve() };
    pointer.move = sent;
    sent.done = this.bring(pointer, sent);
    return true;
  }

  private async bring(pointer: Pointer, move: NonNullable<Pointer["move"]>): Promise<void> {
    const { model, stage } = pointer;
    const version = move.to;
    const began = performance.now();
    try {
      const served = await this.find(version);
      await this.runtime.warm(served.source);
      // Sent elsewhere meanwhile.
      if (pointer.move !== move) return;
      const serving = Promise.resolve(served);
      Object.assign(pointer, { serving, current: served, move: undefined, failure: undefined });
      const seconds = (performance.now() - began) / 1000;
      reportVersionServed({ model, stage, version, number: served.version.number, seconds });
    } catch (err) {
      if (pointer.move !== move) return;
      pointer.move = undefined;
      const times = pointer.failure?.version === version ? pointer.failure.times + 1 : 1;
      const waitMs = Math.min(FIRST_RETRY_MS * 2 ** (times - 1), LAST_RETRY_MS);
      pointer.failure = { version, times, retryAt: performance.now() + waitMs };
      reportVersionNotServed({ model, stage, version, err });
    }
  }

  private drop(pointer: Pointer): void {
    const key = keyOf(pointer.model, pointer.stage);
    if (this.pointers.get(key) === pointer) this.pointers.delete(key);
  }
}

function keyOf(model: string, stage: Stage): string {
  return `${stage} ${model}`;
}
