import type { Archive } from "../../ports/archive.js";
import type { Database } from "../../ports/database.js";
import type { ObjectStore } from "../../ports/object-store.js";
import { failpoint } from "../../shared/failpoint.js";
import { reportCleanup } from "../../telemetry/events.js";
import type { ModelsModule } from "../models/index.js";
import type { JobRun } from "../operations/index.js";
import type { SearchModule } from "../search/index.js";
import { readText } from "./archive-text.js";
import { dumpNames, manifestName } from "./backup-manifest.rules.js";
import { BackupRepository } from "./backup.repository.js";
import type { CleanupPlanner } from "./cleanup-planner.js";
import { LISTS, countsOf, joinReceipts } from "./cleanup-receipt.rules.js";
import type { CleanupReceipt } from "./cleanup-receipt.rules.js";
import { CleanupRepository } from "./cleanup.repository.js";
import type { MirrorService } from "./mirror.service.js";
import { UpkeepJobRepository } from "./upkeep-job.repository.js";
import { backupJob } from "./upkeep.jobs.js";

export interface CleanupServiceOptions {
  database: Database;
  store: ObjectStore;
  archive: Archive;
  mirror: MirrorService;
  models: ModelsModule;
  search: SearchModule;
  planner: CleanupPlanner;
}

/** Entries of all lists that a job's row takes; longer receipts lie in the object store alone. */
const LONGEST_RESULT = 1_000;
/** Objects that are removed while new versions wait. */
const OBJECTS_AT_ONCE = 50;
const JOBS_AT_ONCE = 1_000;
const DAY_MS = 86_400_000;

/**
 * Removes what is out of use. Rows go first, each in a transaction that looks again whether that may be; then the bytes that no
 * row refers to any more. A cleanup that is interrupted in between leaves such bytes to the next one.
 */
export class CleanupService {
  constructor(private readonly options: CleanupServiceOptions) {}

  async run(request: { days: number; dryRun: boolean }, run: JobRun): Promise<Record<string, unknown>> {
    const before = new Date(Date.now() - request.days * DAY_MS);
    const backups = new BackupRepository(this.options.database.dataSource.manager);
    const known = new Set((await backups.all()).map(({ id }) => id));
    const plan = await this.options.planner.plan(request, before);
    await run.report(0.3);
    const receipt = request.dryRun ? plan : await this.apply(plan, { before, known }, run);
    await this.keepReceipt(run.id, receipt);
    reportCleanup({ dryRun: request.dryRun, counts: countsOf(receipt) });
    const counts = countsOf(receipt);
    const entries = LISTS.reduce((sum, list) => sum + receipt[list].length, 0);
    if (entries > LONGEST_RESULT) return { ...request, counts, receipt: receiptName(run.id) };
    return { counts, receipt: receiptName(run.id), ...receipt };
  }

  /** Everything that a cleanup removed or would have removed; undefined where none is kept. */
  async receipt(jobId: string): Promise<CleanupReceipt | undefined> {
    const content = await readText(this.options.archive, receiptName(jobId));
    return content === undefined ? undefined : (JSON.parse(content) as CleanupReceipt);
  }

  private async apply(
    plan: CleanupReceipt,
    { before, known }: { before: Date; known: Set<string> },
    run: JobRun,
  ): Promise<CleanupReceipt> {
    const earlier = await this.receipt(run.id);
    // Written before anything goes, so that nothing goes unrecorded.
    await this.keepReceipt(run.id, earlier ? joinReceipts(earlier, plan) : plan);
    const done: CleanupReceipt = { ...plan, versions: [], artifacts: [], backups: [] };
    done.versions = await this.giveUpVersions(plan, before, run);
    done.backups = await this.removeBackups(plan, run);
    failpoint("cleanup.rows");
    await run.report(0.5);
    done.artifacts = await this.removeObjects(plan, known, run);
    await run.report(0.9);
    await this.removeJobs(plan);
    await this.options.search.discardedIndexes.sweep(before);
    return earlier ? joinReceipts(earlier, done) : done;
  }

  private async giveUpVersions({ versions }: CleanupReceipt, before: Date, run: JobRun) {
    const { models, search } = this.options;
    const removed: CleanupReceipt["versions"] = [];
    for (const version of versions) {
      run.signal.throwIfAborted();
      if (await models.cleanup.giveUp(version.id, before, search.versionsInUse)) removed.push(version);
    }
    return removed;
  }

  private async removeBackups({ backups }: CleanupReceipt, run: JobRun): Promise<CleanupReceipt["backups"]> {
    const { database, archive, mirror } = this.options;
    for (const backup of backups) {
      run.signal.throwIfAborted();
      // Manifests first, and the row last: whatever is left half done is found again, and is no backup.
      for (const name of [manifestName(backup), ...dumpNames(backup)]) {
        await mirror.removeFile(name);
        await archive.remove(name);
      }
      await new BackupRepository(database.dataSource.manager).remove(backup.id);
    }
    return backups;
  }

  /**
   * Removes the objects that nothing refers to, a few at a time: who writes a version meanwhile waits.
   * @param known backups that were there before the plan was made, by id
   */
  private async removeObjects(
    { artifacts }: CleanupReceipt,
    known: Set<string>,
    run: JobRun,
  ): Promise<CleanupReceipt["artifacts"]> {
    const { database, store, mirror, models, planner } = this.options;
    const backedUp = new Set<string>();
    const removed: CleanupReceipt["artifacts"] = [];
    for (let from = 0; from < artifacts.length; from += OBJECTS_AT_ONCE) {
      run.signal.throwIfAborted();
      const part = artifacts.slice(from, from + OBJECTS_AT_ONCE);
      const gone = await database.transaction(async (tx) => {
        const upkeep = new UpkeepJobRepository(tx);
        // A backup refers to what it saw before it says so: the bytes stay for the next cleanup.
        await upkeep.lockKind(backupJob.name);
        if (await upkeep.underWay(backupJob.name)) return [];
        const newer = (await new BackupRepository(tx).all()).filter(({ id }) => !known.has(id));
        for (const digest of await planner.neededBy(newer)) backedUp.add(digest);
        for (const { id } of newer) known.add(id);
        const needed = await models.cleanup.lockReferences(
          tx,
          part.map(({ sha256 }) => sha256),
        );
        const unneeded = part.filter(({ sha256 }) => !needed.has(sha256) && !backedUp.has(sha256));
        // The mirror first: what the store has lost nobody would look for there.
        await Promise.all(
          unneeded.map(({ sha256 }) => mirror.remove(sha256).then(() => store.remove(sha256))),
        );
        return unneeded;
      });
      removed.push(...gone);
    }
    return removed;
  }

  private async removeJobs({ jobs }: CleanupReceipt): Promise<void> {
    const { database, archive } = this.options;
    const cleanups = new CleanupRepository(database.dataSource.manager);
    for (let from = 0; from < jobs.length; from += JOBS_AT_ONCE) {
      const part = jobs.slice(from, from + JOBS_AT_ONCE);
      await cleanups.removeJobs(part.map(({ id }) => id));
      for (const { id } of part.filter(({ kind }) => kind === "cleanup"))
        await archive.remove(receiptName(id));
    }
  }

  private async keepReceipt(jobId: string, receipt: CleanupReceipt): Promise<void> {
    await this.options.archive.storeText(receiptName(jobId), JSON.stringify(receipt));
  }
}

function receiptName(jobId: string): string {
  return `receipts/cleanup-${jobId}.json`;
}
