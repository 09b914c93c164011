import type { Archive } from "../../ports/archive.js";
import type { Database } from "../../ports/database.js";
import type { DatabaseDumper } from "../../ports/database-dumper.js";
import type { ObjectStore } from "../../ports/object-store.js";
import type { NodeSource } from "../graph/index.js";
import type { ModelsModule } from "../models/index.js";
import type { OperationsModule } from "../operations/index.js";
import type { SearchModule } from "../search/index.js";
import { BackupRow } from "./backup.entity.js";
import { BackupService } from "./backup.service.js";
import { BackupType } from "./backup.types.js";
import { CleanupPlanner } from "./cleanup-planner.js";
import { CleanupService } from "./cleanup.service.js";
import { encrypterFor } from "./dump-cipher.js";
import { MirrorService } from "./mirror.service.js";
import type { MirrorStores } from "./mirror.service.js";
import { UpkeepJobs } from "./upkeep-jobs.service.js";
import { RestoreTestService } from "./restore-test.service.js";
import { upkeepDefinitions } from "./upkeep.jobs.js";
import { UpkeepResolver } from "./upkeep.resolver.js";
import { VacuumService } from "./vacuum.service.js";

export const upkeepEntities = [BackupRow];

export interface UpkeepModule {
  upkeepJobs: UpkeepJobs;
  backups: BackupService;
  mirror: MirrorService;
  cleanup: CleanupService;
  vacuum: VacuumService;
  restoreTests: RestoreTestService;
  resolvers: object[];
  nodeSources: NodeSource[];
}

export interface UpkeepModuleOptions {
  database: Database;
  dumper: DatabaseDumper;
  store: ObjectStore;
  archive: Archive;
  /** Absent: nothing is mirrored. */
  mirror?: MirrorStores;
  operations: OperationsModule;
  models: ModelsModule;
  search: SearchModule;
  /** Where a dump lies until it is in the object store. */
  folder: string;
  /** Days for which backups are kept. */
  backupDays: number;
  /** Public keys of age that dumps are encrypted for; none: they are not. */
  backupRecipients: readonly string[];
  /** Whether there is a place where restores may be tested. */
  restoreTestsPossible: boolean;
}

export function createUpkeepModule(options: UpkeepModuleOptions): UpkeepModule {
  const { database, dumper, store, archive, operations, models, search, folder, backupDays } = options;
  const upkeepJobs = new UpkeepJobs(database, operations.jobs);
  const mirror = new MirrorService({ database, store, archive, mirror: options.mirror, folder });
  const encrypter = options.backupRecipients.length > 0 ? encrypterFor(options.backupRecipients) : undefined;
  const backups = new BackupService({ database, dumper, archive, mirror, folder, encrypter });
  models.validation.onAccepted((files) => mirror.keepArtifacts(files));
  const planner = new CleanupPlanner({ database, store, archive, models, search, backups, backupDays });
  const cleanup = new CleanupService({ database, store, archive, mirror, models, search, planner });
  const possible = options.restoreTestsPossible;
  const restoreTests = new RestoreTestService({ database, backups, possible });
  for (const job of Object.values(upkeepDefinitions)) {
    operations.jobs.register<never>(job as never, upkeepJobs.hooks());
  }
  return {
    upkeepJobs,
    backups,
    mirror,
    cleanup,
    vacuum: new VacuumService(database),
    restoreTests,
    resolvers: [new UpkeepResolver(upkeepJobs, backups, mirror, cleanup, restoreTests)],
    nodeSources: [
      {
        type: "Backup",
        find: async (id) => {
          const row = await backups.find(id);
          return row ? BackupType.from(row) : undefined;
        },
      },
    ],
  };
}

export type { MirrorStores } from "./mirror.service.js";
export { decrypterOf } from "./dump-cipher.js";
export { RestoreService } from "./restore.service.js";
export { NO_TEST_DATABASE } from "./restore-test.service.js";
export { upkeepDefinitions } from "./upkeep.jobs.js";
