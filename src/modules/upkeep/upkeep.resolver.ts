import { Arg, Args, Authorized, Ctx, ID, Mutation, Query, Resolver } from "type-graphql";
import { InvalidInputError } from "../../shared/errors.js";
import { requireNodeOfType } from "../../shared/node-id.js";
import { toPageRequest } from "../../shared/pagination.js";
import { JsonScalar, PageArgs, toConnection } from "../graph/index.js";
import type { Connection } from "../graph/index.js";
import { RequestContext } from "../identity/index.js";
import { JobPayload, JobType } from "../operations/index.js";
import { BackupService } from "./backup.service.js";
import { BackupConnection, BackupType } from "./backup.types.js";
import { CleanupService } from "./cleanup.service.js";
import { MirrorService } from "./mirror.service.js";
import { RestoreTestService } from "./restore-test.service.js";
import { UpkeepJobs } from "./upkeep-jobs.service.js";
import type { StartedUpkeep } from "./upkeep-jobs.service.js";
import {
  backupJob,
  cleanupJob,
  mirrorArtifactsJob,
  testRestoreJob,
  vacuumDatabaseJob,
} from "./upkeep.jobs.js";
import {
  StartBackupInput,
  StartCleanupInput,
  StartMirrorInput,
  StartRestoreTestInput,
  StartVacuumInput,
} from "./upkeep.types.js";

const MOST_DAYS = 36_500;

@Resolver()
export class UpkeepResolver {
  constructor(
    private readonly upkeepJobs: UpkeepJobs,
    private readonly backupService: BackupService,
    private readonly mirror: MirrorService,
    private readonly cleanup: CleanupService,
    private readonly restoreTests: RestoreTestService,
  ) {}

  @Authorized("upkeep:read")
  @Query(() => BackupConnection, { description: "Newest first." })
  async backups(@Args() args: PageArgs): Promise<Connection<BackupType>> {
    const page = toPageRequest(args, ["instant", "uuid"]);
    return toConnection(await this.backupService.list(page), BackupType.from);
  }

  @Authorized("upkeep:read")
  @Query(() => JsonScalar, {
    nullable: true,
    description:
      "Everything that a cleanup removed or, as a dry run, would have removed, however long the lists are.",
  })
  async cleanupReceipt(@Arg("job", () => ID) job: string): Promise<unknown> {
    return (await this.cleanup.receipt(requireNodeOfType(job, "Job", "job"))) ?? null;
  }

  @Authorized("upkeep:start")
  @Mutation(() => JobPayload, {
    nullable: true,
    description:
      "Dumps the database into the object store; answers with the backup that is under way, if one is.",
  })
  async startBackup(
    @Arg("input") { idempotencyKey }: StartBackupInput,
    @Ctx() { caller }: RequestContext,
  ): Promise<JobPayload> {
    const request = { payload: {}, operation: "startBackup", idempotencyKey };
    return toPayload(await this.upkeepJobs.start(backupJob, request, caller));
  }

  @Authorized("upkeep:start")
  @Mutation(() => JobPayload, {
    nullable: true,
    description:
      "Copies to the mirror what it lacks of the object store, each object verified by its digest.",
  })
  async startMirror(
    @Arg("input") { verify, idempotencyKey }: StartMirrorInput,
    @Ctx() { caller }: RequestContext,
  ): Promise<JobPayload> {
    this.mirror.assertConfigured();
    const request = { payload: { verify: verify ?? false }, operation: "startMirror", idempotencyKey };
    return toPayload(await this.upkeepJobs.start(mirrorArtifactsJob, request, caller));
  }

  @Authorized("upkeep:start")
  @Mutation(() => JobPayload, {
    nullable: true,
    description:
      "Removes what is out of use: artifacts that no version refers to, versions archived for that long, old backups, " +
      "ended jobs, superseded indexes. What is in PRODUCTION or STAGING, what a rollback would put back, and what is " +
      "protected never goes.",
  })
  async startCleanup(
    @Arg("input") { days: wanted, dryRun, idempotencyKey }: StartCleanupInput,
    @Ctx() { caller }: RequestContext,
  ): Promise<JobPayload> {
    const days = wanted ?? 30;
    if (days < 0 || days > MOST_DAYS)
      throw InvalidInputError.at("input.days", `must be from 0 to ${MOST_DAYS}`);
    const request = { payload: { days, dryRun: dryRun ?? true }, operation: "startCleanup", idempotencyKey };
    return toPayload(await this.upkeepJobs.start(cleanupJob, request, caller));
  }

  @Authorized("upkeep:start")
  @Mutation(() => JobPayload, {
    nullable: true,
    description:
      "Restores a backup into a database that is made for it, with all that a restore verifies, and removes it again.",
  })
  async startRestoreTest(
    @Arg("input") { backup, idempotencyKey }: StartRestoreTestInput,
    @Ctx() { caller }: RequestContext,
  ): Promise<JobPayload> {
    const id = backup == null ? null : requireNodeOfType(backup, "Backup", "input.backup");
    if (id !== null) await this.restoreTests.assertBackup(id);
    const request = { payload: { backup: id }, operation: "startRestoreTest", idempotencyKey };
    return toPayload(await this.upkeepJobs.start(testRestoreJob, request, caller));
  }

  @Authorized("upkeep:start")
  @Mutation(() => JobPayload, {
    nullable: true,
    description:
      "Returns the room of deleted rows, and renews what the query planner knows (VACUUM ANALYZE).",
  })
  async startVacuum(
    @Arg("input") { idempotencyKey }: StartVacuumInput,
    @Ctx() { caller }: RequestContext,
  ): Promise<JobPayload> {
    const request = { payload: {}, operation: "startVacuum", idempotencyKey };
    return toPayload(await this.upkeepJobs.start(vacuumDatabaseJob, request, caller));
  }
}

function toPayload({ job, cursor }: StartedUpkeep): JobPayload {
  return { job: JobType.from(job), cursor };
}
