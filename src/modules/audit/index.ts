import type { Archive } from "../../ports/archive.js";
import type { Database } from "../../ports/database.js";
import type { Logger } from "../../telemetry/logger.js";
import type { NodeSource } from "../graph/index.js";
import { AuditBuffer } from "./audit-buffer.js";
import { AuditEntryRow } from "./audit-entry.entity.js";
import { AuditEntryRepository } from "./audit-entry.repository.js";
import { AuditSealRow } from "./audit-seal.entity.js";
import { AuditSealer } from "./audit-sealer.js";
import { AuditTrail } from "./audit-trail.js";
import { AuditVerifier } from "./audit-verification.js";
import { HeadArchive } from "./head-archive.js";
import { AuditResolver } from "./audit.resolver.js";
import { AuditEntryType } from "./audit.types.js";

export const auditEntities = [AuditEntryRow, AuditSealRow];

/** Seals go first: entries without one are no longer verified, a seal without its entries would be a finding. */
export const auditPartitions = (keepDays: number) =>
  ["audit_seals", "audit_entries"].map((table) => ({
    ...{ table, column: "at", span: "month" as const, ahead: 2, keepDays, appendOnly: true },
  }));

export interface AuditModule {
  trail: AuditTrail;
  /** To be told of entries that mutations have committed. */
  sealer: AuditSealer;
  heads: HeadArchive;
  start(): void;
  /** Writes, seals and signs what is left. */
  close(): Promise<void>;
  resolvers: object[];
  nodeSources: NodeSource[];
}

export interface AuditModuleOptions {
  /** As it is, without the entries of mutations. */
  database: Database;
  logger: Logger;
  /** Whether queries have entries. */
  queries: boolean;
  archive: Archive;
  /** The first signs heads of the chain, the others did. */
  secrets: () => Promise<readonly Uint8Array[]>;
  headMs: number;
  keepDays: number;
}

export function createAuditModule(options: AuditModuleOptions): AuditModule {
  const { database, logger, queries, headMs, keepDays } = options;
  const heads = openHeadArchive(options);
  const sealer = new AuditSealer({ database, heads, headMs, logger });
  const buffer = new AuditBuffer(database, logger, sealer.wake);
  return {
    sealer,
    heads,
    trail: new AuditTrail(database, buffer, { queries, onEntry: sealer.wake }),
    start: () => {
      buffer.start();
      sealer.start();
    },
    close: async () => {
      await buffer.close();
      await sealer.close();
    },
    resolvers: [new AuditResolver(database, new AuditVerifier(database, heads, keepDays))],
    nodeSources: [
      {
        type: "AuditEntry",
        find: async (id) => {
          const row = await new AuditEntryRepository(database.dataSource.manager).find(id);
          return row ? AuditEntryType.from(row) : undefined;
        },
      },
    ],
  };
}

export function openHeadArchive({
  archive,
  secrets,
  headMs,
}: Pick<AuditModuleOptions, "archive" | "secrets" | "headMs">): HeadArchive {
  return new HeadArchive(archive, secrets, headMs);
}

export { AuditVerifier } from "./audit-verification.js";
export type { AuditVerification } from "./audit-verification.js";
export type { AuditedOperation } from "./audit-buffer.js";
export type { NewAuditEntry } from "./audit-entry.repository.js";
export { apartFromAudit, noteAudited } from "./audit-scope.js";
export { AuditTrail } from "./audit-trail.js";
export type { AuditedRequest } from "./audit-trail.js";
export { AuditedDatabase } from "./audited-database.js";
export { auditedMutations } from "./audited-mutations.rules.js";
export { enterImport } from "./import-entry.js";
export { outcomeOf } from "./outcome.rules.js";
