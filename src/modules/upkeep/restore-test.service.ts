import type { Database } from "../../ports/database.js";
import { NotFoundError, PreconditionFailedError, UnavailableError } from "../../shared/errors.js";
import { runOfflineProcess } from "../../shared/offline-process.js";
import type { OfflineFailure } from "../../shared/offline-process.js";
import type { Restored } from "../../shared/restored.js";
import { reportRestoreTest } from "../../telemetry/events.js";
import type { JobRun } from "../operations/index.js";
import type { BackupService } from "./backup.service.js";
import { UpkeepJobRepository } from "./upkeep-job.repository.js";
import { testRestoreJob } from "./upkeep.jobs.js";

export const NO_TEST_DATABASE =
  "restores are tested nowhere: set ML_RESTORE_TEST_DSN to a PostgreSQL server, by a role that may make databases and extensions";

export interface RestoreTestServiceOptions {
  database: Database;
  backups: BackupService;
  /** Whether this process knows a place for it. */
  possible: boolean;
}

/** Restores backups where nobody works, to know that they can be. */
export class RestoreTestService {
  constructor(private readonly options: RestoreTestServiceOptions) {}

  /** @throws {NotFoundError} when there is no such backup */
  async assertBackup(id: string): Promise<void> {
    if (await this.options.backups.find(id)) return;
    throw new NotFoundError(`input.backup: there is no backup ${id}`, { field: "input.backup" });
  }

  /** The job, in a process of its own: other jobs must not wait for a database in memory or the digests of large files. */
  async run({ backup }: { backup: string | null }, run: JobRun): Promise<Record<string, unknown>> {
    const args = ["--test", "--from", backup ?? "latest"];
    const outcome = await runOfflineProcess<Restored>("restore", args, run.signal);
    if ("failure" in outcome) throw toError(outcome.failure);
    const { result } = outcome;
    reportRestoreTest({ backup: result.backup, seconds: result.seconds });
    return { ...result };
  }

  /** When the last test that succeeded began; undefined where there is no place for one. */
  async lastSuccess(): Promise<Date | undefined> {
    if (!this.options.possible) return undefined;
    const jobs = new UpkeepJobRepository(this.options.database.dataSource.manager);
    return (await jobs.lastSuccess(testRestoreJob.name)) ?? NEVER;
  }
}

const NEVER = new Date(0);

/** What may be otherwise the next time is tried again; a backup that is damaged stays so. */
function toError({ code, message }: OfflineFailure): Error {
  const [reason] = message.split("\n    at ");
  if (code === "UNAVAILABLE") return new UnavailableError(reason!);
  return MAY_PASS.has(code) ? new Error(reason) : new PreconditionFailedError(reason!);
}

const MAY_PASS = new Set(["INTERNAL", "FAILED", "FILE"]);
