import { createHash, randomUUID } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { Archive } from "../../ports/archive.js";
import type { Database } from "../../ports/database.js";
import type { ObjectStore } from "../../ports/object-store.js";
import { PreconditionFailedError } from "../../shared/errors.js";
import type { JobRun } from "../operations/index.js";
import { BACKUPS, isManifest } from "./backup-manifest.rules.js";
import type { StoredFile } from "./backup-manifest.rules.js";
import { reportNotMirrored } from "../../telemetry/events.js";
import { MirrorWatch } from "./mirror-watch.js";
import type { MirrorGaps } from "./mirror-watch.js";
import { UpkeepJobRepository } from "./upkeep-job.repository.js";
import { mirrorArtifactsJob } from "./upkeep.jobs.js";

/** Objects by content and files by name, in one place. */
export interface MirrorStores {
  store: ObjectStore;
  archive: Archive;
}

export interface MirrorServiceOptions extends MirrorStores {
  database: Database;
  /** Absent: nothing is mirrored. */
  mirror: MirrorStores | undefined;
  /** Where a file of the archive lies on its way. */
  folder: string;
}

/** Entries of a list that a job's result shows; it says how many there are. */
const SHOWN = 1_000;

/** Between two files, when the mirror is slow: a version does not wait for it any longer. */
const KEEP_WITHIN_MS = 60_000;

/** Keeps the mirror in step with the object store: what is missing there is copied, nothing is removed. */
export class MirrorService {
  private readonly store: ObjectStore;
  private readonly archive: Archive;
  private readonly mirror: MirrorStores | undefined;
  private readonly watch: MirrorWatch | undefined;

  constructor(private readonly options: MirrorServiceOptions) {
    this.store = options.store;
    this.archive = options.archive;
    this.mirror = options.mirror;
    this.watch = options.mirror && new MirrorWatch(options.database, options.mirror.store);
  }

  get configured(): boolean {
    return this.mirror !== undefined;
  }

  /** @throws {PreconditionFailedError} where no mirror is configured */
  assertConfigured(): void {
    this.required();
  }

  /** When the last complete mirroring began: all that was stored before is in the mirror. */
  lastSuccess(): Promise<Date | undefined> {
    return new UpkeepJobRepository(this.options.database.dataSource.manager).lastSuccess(
      mirrorArtifactsJob.name,
    );
  }

  /**
   * The job. An object is verified by its digest while it is copied; `verify` reads again what was copied before.
   * @throws when an object is damaged on either side, after all others have been copied
   */
  async run({ verify }: { verify: boolean }, run: JobRun): Promise<Record<string, unknown>> {
    const { store, archive } = this.required();
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
    const files = await this.copyArchive(archive, run.signal);
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
      archived: files,
      verified: verify,
      seconds,
      copied: copied.slice(0, SHOWN),
    };
  }

  /**
   * Copies what a version needs before it is READY. A mirror that is away does not keep it from that: what lacks then
   * is counted by `gaps` and copied by the next mirroring.
   */
  async keepArtifacts(files: readonly StoredFile[]): Promise<void> {
    try {
      await this.copyObjects(files, AbortSignal.timeout(KEEP_WITHIN_MS));
      this.watch?.saw(files);
    } catch (err) {
      reportNotMirrored({ artifacts: files.map(({ sha256 }) => sha256), err });
    }
  }

  /** Which artifacts of READY versions the mirror lacks; undefined where there is no mirror. */
  gaps(): Promise<MirrorGaps> | undefined {
    return this.watch?.gaps();
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

  /** Keeps a local file in the mirror's archive, too. @throws unless what arrives is the same */
  async keepFile(name: string, path: string, expected: StoredFile): Promise<void> {
    const kept = await this.mirror?.archive.storeFile(name, path);
    if (kept && kept.sha256 !== expected.sha256)
      throw new Error(`${name} was damaged on its way to the mirror`);
  }

  async keepText(name: string, content: string): Promise<void> {
    await this.mirror?.archive.storeText(name, content);
  }

  /** Removes what the object store has given up, too. */
  async remove(sha256: string): Promise<void> {
    await this.mirror?.store.remove(sha256);
  }

  async removeFile(name: string): Promise<void> {
    await this.mirror?.archive.remove(name);
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

  /** Files of the archive never change: one of the same size is the same. @returns how many were copied */
  private async copyArchive(target: Archive, signal: AbortSignal): Promise<number> {
    const there = new Map<string, number>();
    for await (const { name, bytes } of target.list(BACKUPS)) there.set(name, bytes);
    const missing: string[] = [];
    for await (const { name, bytes } of this.archive.list(BACKUPS)) {
      if (there.get(name) !== bytes) missing.push(name);
    }
    // Manifests last: what has one is complete.
    missing.sort((a, b) => Number(isManifest(a)) - Number(isManifest(b)));
    const { folder } = this.options;
    await mkdir(folder, { recursive: true });
    for (const name of missing) {
      signal.throwIfAborted();
      const file = join(folder, `${randomUUID()}.copy`);
      try {
        await pipeline(await this.archive.read(name), createWriteStream(file), { signal });
        await target.storeFile(name, file);
      } finally {
        await rm(file, { force: true });
      }
    }
    return missing.length;
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
