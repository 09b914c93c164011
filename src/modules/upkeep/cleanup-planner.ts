import type { Archive } from "../../ports/archive.js";
import type { Database } from "../../ports/database.js";
import type { ObjectStore } from "../../ports/object-store.js";
import type { ModelsModule } from "../models/index.js";
import type { SearchModule } from "../search/index.js";
import type { BackupRow } from "./backup.entity.js";
import { readText } from "./archive-text.js";
import { manifestName, readManifest } from "./backup-manifest.rules.js";
import { BackupRepository } from "./backup.repository.js";
import type { BackupService } from "./backup.service.js";
import type { CleanupReceipt } from "./cleanup-receipt.rules.js";
import { CleanupRepository } from "./cleanup.repository.js";

export interface CleanupPlannerOptions {
  database: Database;
  store: ObjectStore;
  archive: Archive;
  models: ModelsModule;
  search: SearchModule;
  backups: BackupService;
  /** Days for which backups are kept. */
  backupDays: number;
}

const DAY_MS = 86_400_000;

/** Finds what is out of use, and removes nothing. */
export class CleanupPlanner {
  constructor(private readonly options: CleanupPlannerOptions) {}

  async plan(request: { days: number; dryRun: boolean }, before: Date): Promise<CleanupReceipt> {
    const { database, models, search, backups } = this.options;
    await backups.noteFound();
    const versions = await models.cleanup.expired(before, search.versionsInUse);
    const { old, kept } = await this.sortBackups();
    const given = new Set(versions.map(({ id }) => id));
    const needed = await models.cleanup.referenced(given);
    for (const digest of await this.neededBy(kept)) needed.add(digest);
    const jobs = await new CleanupRepository(database.dataSource.manager).expiredJobs(before);
    const indexes = await search.discardedIndexes.expired(before);
    return {
      ...request,
      versions: versions.map(({ id, model, number, status }) => ({ id, model, number, was: status })),
      artifacts: await this.unneeded(needed, before),
      backups: old.map(({ id, takenAt, sha256, bytes }) => ({
        ...{ id, takenAt: takenAt.toISOString(), sha256, bytes },
      })),
      jobs,
      indexes: indexes.map(({ id, collectionId }) => ({ id, collectionId })),
      uploads: 0,
    };
  }

  /** The newest backup stays however old it is. */
  private async sortBackups(): Promise<{ old: BackupRow[]; kept: BackupRow[] }> {
    const all = await new BackupRepository(this.options.database.dataSource.manager).all();
    const oldest = Date.now() - this.options.backupDays * DAY_MS;
    const isOld = (backup: BackupRow, i: number) => i > 0 && backup.takenAt.getTime() < oldest;
    return { old: all.filter(isOld), kept: all.filter((backup, i) => !isOld(backup, i)) };
  }

  /** What the rows of dumps refer to: a backup that is kept can be restored whole. */
  async neededBy(kept: readonly BackupRow[]): Promise<Set<string>> {
    const needed = new Set<string>();
    for (const { id, takenAt } of kept) {
      const name = manifestName({ id, takenAt: takenAt.toISOString() });
      const content = await readText(this.options.archive, name);
      for (const artifact of content ? readManifest(content, name).artifacts : [])
        needed.add(artifact.sha256);
    }
    return needed;
  }

  /**
   * What was stored since may be about to be referred to: by a training under way, or by the database that this one was
   * restored beside.
   */
  private async unneeded(needed: ReadonlySet<string>, before: Date): Promise<CleanupReceipt["artifacts"]> {
    const found: CleanupReceipt["artifacts"] = [];
    for await (const { sha256, bytes, modifiedAt } of this.options.store.list()) {
      if (!needed.has(sha256) && modifiedAt <= before) found.push({ sha256, bytes });
    }
    return found.sort((a, b) => (a.sha256 < b.sha256 ? -1 : 1));
  }
}
