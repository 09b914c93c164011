import { rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { migrations } from "../../migrations/index.js";
import { FolderArchive } from "../adapters/embedded/folder-archive.js";
import { ClusterRestorer } from "../adapters/embedded/cluster-restorer.js";
import { FolderObjectStore } from "../adapters/embedded/folder-object-store.js";
import { openProcessFolder } from "../adapters/process-folder.js";
import { PostgresRestorer } from "../adapters/service/postgres-restorer.js";
import { RestoreTestDatabase } from "../adapters/service/restore-test-database.js";
import type { Config } from "../config/config.js";
import { NO_TEST_DATABASE, RestoreService, decrypterOf } from "../modules/upkeep/index.js";
import type { DatabaseRestorer } from "../ports/database-dumper.js";
import { PreconditionFailedError } from "../shared/errors.js";
import { abortOnTermination } from "./abort-on-termination.js";
import { openMirror, openStorage } from "../storage.js";
import type { Storage } from "../storage.js";
import type { OfflineCommand } from "./offline-command.js";

/** restore --from <id|latest|manifest.json> [--objects <folder>] [--test] */
export const restoreCommand: OfflineCommand = async ({ config, logger, report }, args) => {
  const { values } = parseArgs({
    args,
    options: {
      from: { type: "string", default: "latest" },
      objects: { type: "string" },
      test: { type: "boolean", default: false },
    },
  });
  const folder = await openProcessFolder(join(config.dataDir, "dumps"));
  // However it ends: a dump that was decrypted is not to be found here. What kill -9 leaves, the next one removes.
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  const storage = await openStorage(() => config, logger);
  const mirrors = [await openMirror(() => config, logger), await openFolder(values.objects)];
  const places = mirrors.filter((mirror) => mirror !== undefined);
  try {
    const restoring = new RestoreService({
      ...{ storage, mirrors: places, signal: abortOnTermination() },
      // A test's words would stand among the log of the process that it was started by.
      report: values.test ? () => undefined : report,
      restorer: values.test ? createTestRestorer(config) : createRestorer(config),
      migrations: migrations.map((Migration) => new Migration().name),
      folder,
      ...(config.backupIdentities.length > 0 ? { decrypter: decrypterOf(config.backupIdentities) } : {}),
    });
    return await (values.test ? restoring.test(values.from) : restoring.restore(values.from));
  } finally {
    for (const { store } of [storage, ...places]) await store.close();
  }
};

function createRestorer({ database: { dsn, tls }, postgresBin: bin, dataDir }: Config): DatabaseRestorer {
  if (dsn === undefined) return new ClusterRestorer(join(dataDir, "database"));
  return new PostgresRestorer({ dsn, variable: "ML_VECTOR_DB_DSN", tls, bin });
}

/** @throws {PreconditionFailedError} where a database server is used, and no database for tests is named */
function createTestRestorer({
  database: { dsn },
  restoreTestDsn,
  postgresBin: bin,
  dataDir,
}: Config): DatabaseRestorer {
  if (dsn === undefined) return new ClusterRestorer(join(dataDir, "restore-test"));
  if (restoreTestDsn !== undefined) return new RestoreTestDatabase({ dsn: restoreTestDsn, bin });
  throw new PreconditionFailedError(NO_TEST_DATABASE);
}

/** A folder laid out as ML_MIRROR_DIR is. */
async function openFolder(folder: string | undefined): Promise<Storage | undefined> {
  if (folder === undefined) return undefined;
  return {
    store: await FolderObjectStore.open(folder),
    archive: await FolderArchive.open(join(folder, "archive")),
  };
}
