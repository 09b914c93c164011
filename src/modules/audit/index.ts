import type { Database } from "../../ports/database.js";
import type { Logger } from "../../telemetry/logger.js";
import type { NodeSource } from "../graph/index.js";
import { AuditBuffer } from "./audit-buffer.js";
import { AuditEntryRow } from "./audit-entry.entity.js";
import { AuditEntryRepository } from "./audit-entry.repository.js";
import { AuditSealRow } from "./audit-seal.entity.js";
import { AuditTrail } from "./audit-trail.js";
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
  buffer: AuditBuffer;
  resolvers: object[];
  nodeSources: NodeSource[];
}

export interface AuditModuleOptions {
  /** As it is, without the entries of mutations. */
  database: Database;
  logger: Logger;
  /** Whether queries have entries. */
  queries: boolean;
  onEntry: () => void;
}

export function createAuditModule({ database, logger, queries, onEntry }: AuditModuleOptions): AuditModule {
  const buffer = new AuditBuffer(database, logger, onEntry);
  return {
    buffer,
    trail: new AuditTrail(database, buffer, { queries, onEntry }),
    resolvers: [new AuditResolver(database)],
    nodeSources: [
      {
        type: "AuditEntry",
        permission: "audit:read",
        find: async (id) => {
          const row = await new AuditEntryRepository(database.dataSource.manager).find(id);
          return row ? AuditEntryType.from(row) : undefined;
        },
      },
    ],
  };
}

export type { NewAuditEntry } from "./audit-entry.repository.js";
export { apartFromAudit, noteAudited } from "./audit-scope.js";
export { AuditTrail } from "./audit-trail.js";
export type { AuditedRequest } from "./audit-trail.js";
export { AuditedDatabase } from "./audited-database.js";
export { auditedMutations } from "./audited-mutations.rules.js";
export { outcomeOf } from "./outcome.rules.js";
