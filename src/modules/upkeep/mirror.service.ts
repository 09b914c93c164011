import { createHash } from "node:crypto";
import type { Database } from "../../ports/database.js";
import type { NamedObjects } from "../../ports/named-objects.js";
import type { ObjectStore } from "../../ports/object-store.js";
import { PreconditionFailedError } from "../../shared/errors.js";
import type { JobRun } from "../operations/index.js";
import type { StoredFile } from "./backup-manifest.rules.js";
import { UpkeepJobRepository } from "./upkeep-job.repository.js";
import { mirrorArtifactsJob } from "./upkeep.jobs.js";

/** A second place for everything in the object store. */
export interface MirrorStores {
  store: ObjectStore;
  named: NamedObjects;
}

/** Entries of a list that a job's result shows; it says how many there are. */
const SHOWN = 1_000;

/** Keeps the mirror in step with the object store: what is missing there is copied, nothing is removed. */
export class MirrorService {
  constructor(
    private readonly database: Database,
    private readonly store: ObjectStore,
    private readonly named: NamedObjects,
    private readonly mirror: MirrorStores | undefined,
  ) {}

  get configured(): boolean {
    return this.mirror !== undefined;
  }

  /** @throws {PreconditionFailedError} where no mirror is configured */
  assertConfigured(): void {
    this.required();
  }

  /** When the last complete mirroring began: all that was stored before is in the mirror. */
  lastSuccess(): Promise<Date | undefined> {
    return new UpkeepJobRepository(this.database.dataSource.manager).lastSuccess(mirrorArtifactsJob.name);
  }

  /**
   * The job. An object is verified by its digest while it is copied; `verify` reads again what was copied before.
   * @throws when an object is damaged on either side, after all others have been copied
   */
  async run({ verify }: { verify: boolean }, run: JobRun): Promise<Record<string, unknown>> {
    const { store, named } = this.required();
    const began = performance.now();
    const there = new Map<string, number>();
    for await (const { sha256, bytes } of store.list()) there.set(sha256, bytes);
    const copied: StoredFile[] = [];
    const damaged: { sha256: string; reason: string }[] = [];
    let present = 0;
    for await (const { sha256, bytes } of this.store.list()) {
      run.signal.throwIfAborted();
      const fault = await this.step(store, { sha256, bytes }, there.get(sha256) === bytes, verify);
      if (fault === "copied") copied.push({ sha256, bytes });
      else if (fault === undefined) present++;
      else damaged.push({ sha256, reason: fault });
    }
    for (const name of await this.named.list("")) {
      const content = await this.named.read(name);
      if (content) await this.copyNamedTo(named, name, content);
    }
    if (damaged.length > 0) {
      const shown = damaged.slice(0, 10).map(({ sha256, reason }) => `${sha256} (${reason})`);
      throw new Error(`${damaged.length} objects could not be mirrored: ${shown.join("; ")}`);
    }
    const bytes = copied.reduce((sum, file) => sum + file.bytes, 0);
    const seconds = Math.round(performance.now() - began) / 1000;
    return {
      copiedCount: copied.length,
      copiedBytes: bytes,
      present,
      verified: verify,
      seconds,
      copied: copied.slice(0, SHOWN),
    };
  }

  /** Copies what is missing of these; does nothing where there is no mirror. */
  async copyObjects(files: readonly StoredFile[], signal: AbortSignal): Promise<void> {
    if (!this.mirror) return;
    for (const file of files) {
      signal.throwIfAborted();
      if ((await this.mirror.store.size(file.sha256)) === file.bytes) continue;
      await this.mirror.store.put(file, await this.store.read(file.sha256));
    }
  }

  async copyNamed(name: string, content: Uint8Array): Promise<void> {
    if (this.mirror) await this.copyNamedTo(this.mirror.named, name, content);
  }

  /** Removes what the object store has given up, too. */
  async remove(sha256: string): Promise<void> {
    await this.mirror?.store.remove(sha256);
  }

  async removeNamed(name: string): Promise<void> {
    await this.mirror?.named.remove(name);
  }

  /** @returns what is wrong with the object, or what was done for it */
  private async step(
    mirror: ObjectStore,
    file: StoredFile,
    isThere: boolean,
    verify: boolean,
  ): Promise<string | undefined> {
    try {
      if (!isThere) {
        await mirror.put(file, await this.store.read(file.sha256));
        return "copied";
      }
      if (!verify || (await digestOf(mirror, file.sha256)) === file.sha256) return undefined;
      await mirror.remove(file.sha256);
      await mirror.put(file, await this.store.read(file.sha256));
      return "copied";
    } catch (error) {
      // Removed meanwhile: nothing to mirror any more.
      if ((await this.store.size(file.sha256)) === undefined) return undefined;
      return error instanceof Error ? error.message : String(error);
    }
  }

  private async copyNamedTo(target: NamedObjects, name: string, content: Uint8Array): Promise<void> {
    const known = await target.read(name);
    if (!known?.equals(content)) await target.write(name, content);
  }

  private required(): MirrorStores {
    if (this.mirror) return this.mirror;
    throw new PreconditionFailedError("no mirror is configured: set ML_MIRROR_DIR or ML_MIRROR_BUCKET");
  }
}

/** SHA-256 of what the store holds under that key. */
export async function digestOf(store: ObjectStore, sha256: string): Promise<string> {
  const digest = createHash("sha256");
  for await (const chunk of await store.read(sha256)) digest.update(chunk as Buffer);
  return digest.digest("hex");
}
