import { join } from "node:path";
import { openEmbeddedDatabase } from "../../src/adapters/embedded/embedded-database.js";
import { openPostgresDatabase } from "../../src/adapters/service/postgres-database.js";
import { loadConfig } from "../../src/config/config.js";
import { AuditVerifier, openHeadArchive } from "../../src/modules/audit/index.js";
import type { AuditVerification } from "../../src/modules/audit/index.js";
import type { Archive } from "../../src/ports/archive.js";
import { openStorage } from "../../src/storage.js";
import { createLogger } from "../../src/telemetry/logger.js";
import type { Platform } from "./platform.js";
import { serviceEnvironment } from "./service-tier.js";

export interface AuditChain {
  archive: Archive;
  /** Statements without parameters, with the rights of whoever owns the server. */
  execute(sql: string): Promise<void>;
  select<T>(sql: string): Promise<T[]>;
  verify(from?: Date): Promise<AuditVerification>;
  close(): Promise<void>;
}

/** The audit log of a platform that does not run, by a way that leads past the platform. */
export async function openAuditChain(
  { dataDir }: Pick<Platform, "dataDir">,
  secret: string,
): Promise<AuditChain> {
  const environment = await serviceEnvironment(dataDir);
  const config = loadConfig({ ML_DATA_DIR: dataDir, ...environment });
  const { dsn } = config.database;
  const schema = { entities: [], migrations: [] };
  const database =
    dsn === undefined
      ? await openEmbeddedDatabase({ dataDir: join(dataDir, "database"), ...schema })
      : await openPostgresDatabase({ dsn, ...schema });
  const { store, archive } = await openStorage(() => config, createLogger("silent"));
  const heads = openHeadArchive({
    archive,
    secrets: () => Promise.resolve([Buffer.from(secret)]),
    headMs: 1000,
  });
  const verifier = new AuditVerifier(database, heads, config.retention.auditDays);
  return {
    archive,
    execute: (sql) =>
      database.dataSource.transaction(async (tx) => {
        // Triggers are asleep in it.
        await tx.query("SET LOCAL session_replication_role = replica");
        await tx.query(sql);
      }),
    select: (sql) => database.dataSource.query(sql),
    verify: (from) => verifier.verify(from),
    close: async () => {
      await store.close();
      await database.close();
    },
  };
}

export async function withAuditChain(
  place: Pick<Platform, "dataDir">,
  secret: string,
  work: (chain: AuditChain) => Promise<void>,
): Promise<void> {
  const chain = await openAuditChain(place, secret);
  try {
    await work(chain);
  } finally {
    await chain.close();
  }
}
