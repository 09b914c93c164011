import { createHash, randomUUID } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { Decrypter } from "age-encryption";
import type { DatabaseRestorer, RunQuery } from "../../ports/database-dumper.js";
import { InvalidInputError, NotFoundError, PreconditionFailedError } from "../../shared/errors.js";
import type { Restored } from "../../shared/restored.js";
import { CONTINUE_RESTORED } from "../operations/index.js";
import { namesOf, readText } from "./archive-text.js";
import { BACKUPS, countDifferences, dumpName, isManifest, readManifest } from "./backup-manifest.rules.js";
import type { BackupManifest, StoredFile } from "./backup-manifest.rules.js";
import { decryptFile } from "./dump-cipher.js";
import { digestOf } from "./mirror.service.js";
import type { MirrorStores } from "./mirror.service.js";
import { countRows } from "./row-counts.js";

export interface RestoreServiceOptions {
  /** Where artifacts belong, and the first place to look for backups. */
  storage: MirrorStores;
  /** Further places to look in, in this order. */
  mirrors: readonly MirrorStores[];
  restorer: DatabaseRestorer;
  /** Migrations that this release knows. */
  migrations: readonly string[];
  /** Where a dump lies on its way. */
  folder: string;
  /** Opens dumps that are encrypted. */
  decrypter?: Decrypter;
  /** Gives up, and undoes what was done. */
  signal: AbortSignal;
  report(line: string): void;
}

/** A test has come to its end, and what it brought must go. */
class Undone extends Error {}

/** Brings a backup back into an empty database, with every artifact that its rows refer to; all or nothing. */
export class RestoreService {
  constructor(private readonly options: RestoreServiceOptions) {}

  /**
   * @param from id of a backup, `latest`, or the path of a manifest
   * @throws {PreconditionFailedError} when the target is not empty, or the backup is damaged or not complete
   */
  async restore(from: string): Promise<Restored> {
    return this.bring(from, { keep: true });
  }

  /**
   * Does all that a restore does, and undoes it; no artifact is copied.
   * @throws as `restore` does
   */
  async test(from: string): Promise<Restored> {
    return this.bring(from, { keep: false });
  }

  private async bring(from: string, { keep }: { keep: boolean }): Promise<Restored> {
    const { restorer, folder, report } = this.options;
    const began = performance.now();
    await restorer.assertEmpty();
    const manifest = await this.find(from);
    this.assertFits(manifest);
    this.assertReadable(manifest);
    report(`restoring the backup of ${manifest.takenAt}`);
    await mkdir(folder, { recursive: true });
    const file = join(folder, `${randomUUID()}.restore`);
    try {
      await this.fetchDump(manifest, file);
      await this.decrypt(manifest, file);
      report("the dump is what was backed up; verifying artifacts");
      // Before the database, which by its being there says that all of it is.
      const artifacts = await this.restoreArtifacts(manifest.artifacts, keep);
      report("restoring the database");
      this.options.signal.throwIfAborted();
      const restored = restorer.restore(file, manifest.serverVersion, async (query) => {
        await assertCounts(query, manifest);
        await query(CONTINUE_RESTORED);
        if (!keep) throw new Undone();
      });
      await restored.catch((error: unknown) => {
        if (!(error instanceof Undone)) throw error;
      });
      const seconds = Math.round(performance.now() - began) / 1000;
      return { backup: manifest.id, takenAt: manifest.takenAt, rows: manifest.rows, artifacts, seconds };
    } finally {
      await rm(file, { force: true });
    }
  }

  private get places(): MirrorStores[] {
    return [this.options.storage, ...this.options.mirrors];
  }

  private async find(from: string): Promise<BackupManifest> {
    if (from.endsWith(".json")) {
      const content = await readFile(from, "utf8").catch((error: Error) => {
        throw InvalidInputError.at("from", error.message);
      });
      return readManifest(content, from);
    }
    const found: BackupManifest[] = [];
    for (const { archive } of this.places) {
      const names = (await namesOf(archive, BACKUPS)).filter(isManifest);
      const wanted = from === "latest" ? names.slice(-1) : names.filter((name) => name.includes(from));
      for (const name of wanted) found.push(readManifest((await readText(archive, name))!, name));
    }
    found.sort((a, b) => (a.takenAt < b.takenAt ? -1 : 1));
    const ids = new Set(found.map(({ id }) => id));
    if (from !== "latest" && ids.size > 1)
      throw InvalidInputError.at("from", `"${from}" names ${ids.size} backups`);
    const manifest = found.at(-1);
    if (manifest) return manifest;
    const which = from === "latest" ? "no backup" : `no backup "${from}"`;
    throw new NotFoundError(`from: there is ${which} in the object store or its mirror`, { field: "from" });
  }

  private assertFits(manifest: BackupManifest): void {
    const { restorer, migrations } = this.options;
    if (manifest.kind !== restorer.kind) {
      throw new PreconditionFailedError(
        `the backup is a ${manifest.kind} dump, and the target takes ${restorer.kind} ones; export and import move between tiers`,
      );
    }
    const unknown = manifest.migrations.filter((name) => !migrations.includes(name));
    if (unknown.length === 0) return;
    throw new PreconditionFailedError(
      `the backup is of a newer release, which knows ${unknown.join(", ")}: restore with that release`,
    );
  }

  private assertReadable({ encryption }: BackupManifest): void {
    if (encryption === undefined || this.options.decrypter) return;
    throw new PreconditionFailedError(
      "the backup is encrypted: ML_BACKUP_IDENTITY, or the file that ML_BACKUP_IDENTITY_FILE names, must hold a secret key of age that opens it",
    );
  }

  private async decrypt({ encryption }: BackupManifest, file: string): Promise<void> {
    if (encryption === undefined) return;
    const decrypted = `${file}.decrypted`;
    try {
      await decryptFile(file, decrypted, this.options.decrypter!);
      await rename(decrypted, file);
    } finally {
      await rm(decrypted, { force: true });
    }
  }

  /** @throws {PreconditionFailedError} unless a place has the dump as it was backed up */
  private async fetchDump(manifest: BackupManifest, file: string): Promise<void> {
    let damaged = 0;
    for (const { archive } of this.places) {
      const digest = createHash("sha256");
      try {
        await pipeline(
          await archive.read(dumpName(manifest)),
          async function* (content) {
            for await (const chunk of content) {
              digest.update(chunk as Buffer);
              yield chunk as Buffer;
            }
          },
          createWriteStream(file),
          { signal: this.options.signal },
        );
      } catch (error) {
        if (!(error instanceof NotFoundError)) throw error;
        continue;
      }
      if (digest.digest("hex") === manifest.dump.sha256) return;
      damaged++;
    }
    throw new PreconditionFailedError(
      damaged > 0
        ? `the dump of backup ${manifest.id} is damaged: its SHA-256 is not ${manifest.dump.sha256}; nothing was restored`
        : `the dump of backup ${manifest.id} is nowhere to be found; nothing was restored`,
    );
  }

  private async restoreArtifacts(
    artifacts: readonly StoredFile[],
    keep: boolean,
  ): Promise<Restored["artifacts"]> {
    let [verified, copied, bytes] = [0, 0, 0];
    const missing: string[] = [];
    for (const artifact of artifacts) {
      this.options.signal.throwIfAborted();
      bytes += artifact.bytes;
      if (await this.isWhole(this.options.storage, artifact)) verified++;
      else if (await this.copy(artifact, keep)) copied++;
      else missing.push(artifact.sha256);
    }
    if (missing.length === 0) return { verified, copied, bytes };
    throw new PreconditionFailedError(
      `${missing.length} artifacts are missing or damaged everywhere: ${missing.slice(0, 5).join(", ")}; ` +
        "name another place that has them with --objects; nothing was restored",
    );
  }

  private async isWhole({ store }: MirrorStores, { sha256, bytes }: StoredFile): Promise<boolean> {
    if ((await store.size(sha256)) !== bytes) return false;
    return (await digestOf(store, sha256).catch(() => undefined)) === sha256;
  }

  /** @returns whether a mirror has it whole */
  private async copy(artifact: StoredFile, keep: boolean): Promise<boolean> {
    const { store } = this.options.storage;
    for (const mirror of this.options.mirrors) {
      if (!(await this.isWhole(mirror, artifact))) continue;
      if (!keep) return true;
      await store.remove(artifact.sha256);
      await store.put(artifact, await mirror.store.read(artifact.sha256));
      return true;
    }
    return false;
  }
}

/** @throws {PreconditionFailedError} naming the tables that have other rows than were backed up */
async function assertCounts(query: RunQuery, manifest: BackupManifest): Promise<void> {
  const differences = countDifferences(manifest.rows, await countRows(query));
  if (differences.length === 0) return;
  throw new PreconditionFailedError(`what came back is not what was backed up: ${differences.join("; ")}`);
}
