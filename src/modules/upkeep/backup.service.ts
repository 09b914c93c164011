import { randomUUID } from "node:crypto";
import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Encrypter } from "age-encryption";
import type { Archive } from "../../ports/archive.js";
import type { Database } from "../../ports/database.js";
import type { DatabaseDumper, RunQuery } from "../../ports/database-dumper.js";
import type { Page, PageRequest } from "../../shared/pagination.js";
import { reportBackup } from "../../telemetry/events.js";
import type { JobRun } from "../operations/index.js";
import type { BackupRow } from "./backup.entity.js";
import { namesOf, readText } from "./archive-text.js";
import {
  BACKUPS,
  dumpName,
  isManifest,
  manifestName,
  readManifest,
  writeManifest,
} from "./backup-manifest.rules.js";
import type { BackupManifest } from "./backup-manifest.rules.js";
import { encryptFile } from "./dump-cipher.js";
import { BackupRepository } from "./backup.repository.js";
import type { MirrorService } from "./mirror.service.js";
import { countRows } from "./row-counts.js";

export interface BackupServiceOptions {
  database: Database;
  dumper: DatabaseDumper;
  archive: Archive;
  mirror: MirrorService;
  /** Where a dump lies until it is in the archive. */
  folder: string;
  /** Of dumps; without it they are stored as they are. */
  encrypter?: Encrypter;
}

/** Dumps the database into the archive, with a manifest beside it that needs no database to be found. */
export class BackupService {
  constructor(private readonly options: BackupServiceOptions) {}

  /** The job: a dump, verified, stored and, where there is a mirror, mirrored with every artifact that it refers to. */
  async run(run: JobRun): Promise<Record<string, unknown>> {
    const { archive, mirror } = this.options;
    const began = performance.now();
    const { manifest, heldMs } = await this.dumpIntoArchive(run);
    await run.report(0.7);
    await mirror.copyObjects(manifest.artifacts, run.signal);
    // Last, and here after there: what has a manifest is complete.
    await mirror.keepText(manifestName(manifest), writeManifest(manifest));
    await archive.storeText(manifestName(manifest), writeManifest(manifest));
    await this.note(manifest, run.id);
    const seconds = (performance.now() - began) / 1000;
    reportBackup({ backup: manifest.id, bytes: manifest.dump.bytes, seconds });
    return {
      backup: manifest.id,
      manifest: manifestName(manifest),
      kind: manifest.kind,
      ...manifest.dump,
      encryption: manifest.encryption ?? null,
      rows: manifest.rows,
      artifacts: manifest.artifacts.length,
      mirrored: mirror.configured,
      heldMs,
      seconds: Math.round(seconds * 1000) / 1000,
    };
  }

  /** Makes rows of manifests that have none: of backups that a restored database does not know. */
  async noteFound(): Promise<void> {
    const { archive, database } = this.options;
    const backups = new BackupRepository(database.dataSource.manager);
    const known = new Set((await backups.all()).map(manifestNameOf));
    for (const name of (await namesOf(archive, BACKUPS)).filter(isManifest)) {
      const content = known.has(name) ? undefined : await readText(archive, name);
      if (content !== undefined) await backups.insert(readManifest(content, name), null);
    }
  }

  list(page: PageRequest): Promise<Page<BackupRow>> {
    return new BackupRepository(this.options.database.dataSource.manager).list(page);
  }

  find(id: string): Promise<BackupRow | null> {
    return new BackupRepository(this.options.database.dataSource.manager).find(id);
  }

  /** When the newest backup was taken. */
  async lastSuccess(): Promise<Date | undefined> {
    return (await new BackupRepository(this.options.database.dataSource.manager).newest())?.takenAt;
  }

  private async dumpIntoArchive(run: JobRun): Promise<{ manifest: BackupManifest; heldMs: number }> {
    const { dumper, archive, mirror, folder } = this.options;
    await mkdir(folder, { recursive: true });
    const file = join(folder, `${run.id}-${run.fence}.dump`);
    const backup = {
      ...{ id: randomUUID(), takenAt: new Date().toISOString() },
      ...(this.options.encrypter ? { encryption: "age" as const } : {}),
    };
    try {
      const { kind, serverVersion, heldMs, seen } = await dumper.dump(file, look);
      run.signal.throwIfAborted();
      await this.encrypt(file);
      run.signal.throwIfAborted();
      await run.report(0.4);
      const dump = await archive.storeFile(dumpName(backup), file);
      await mirror.keepFile(dumpName(backup), file, dump);
      return { manifest: { format: 1, ...backup, kind, serverVersion, dump, ...seen }, heldMs };
    } finally {
      await rm(file, { force: true });
    }
  }

  private async encrypt(file: string): Promise<void> {
    if (!this.options.encrypter) return;
    const encrypted = `${file}.age`;
    try {
      await encryptFile(file, encrypted, this.options.encrypter);
      await rename(encrypted, file);
    } finally {
      await rm(encrypted, { force: true });
    }
  }

  private async note(manifest: BackupManifest, jobId: string): Promise<void> {
    await this.options.database.transaction(async (tx) => {
      const backups = new BackupRepository(tx);
      await backups.insert(manifest, jobId);
      if (this.options.mirror.configured) await backups.noteMirrored(manifest.id);
    });
  }
}

function manifestNameOf({ id, takenAt }: BackupRow): string {
  return manifestName({ id, takenAt: takenAt.toISOString() });
}

/** What the manifest tells of the snapshot. */
async function look(query: RunQuery): Promise<Pick<BackupManifest, "migrations" | "rows" | "artifacts">> {
  const migrations = (await query<{ name: string }>(BackupRepository.MIGRATIONS)).map(({ name }) => name);
  const artifacts = await query<{ sha256: string; bytes: string }>(BackupRepository.ARTIFACTS);
  return {
    migrations,
    rows: await countRows(query),
    artifacts: artifacts.map(({ sha256, bytes }) => ({ sha256, bytes: Number(bytes) })),
  };
}
