import type { Connection, Operation } from "./operation.js";

interface StartedJob {
  job: { id: string; state: string };
  cursor: string;
}

/** Those of the documents in `schema/operations` that concern upkeep. */
export interface UpkeepOperations {
  "start-backup": Operation<{ input: object }, { startBackup: StartedJob }>;
  "start-mirror": Operation<{ input: { verify: boolean } }, { startMirror: StartedJob }>;
  "start-cleanup": Operation<{ input: { days: number; dryRun: boolean } }, { startCleanup: StartedJob }>;
  "start-vacuum": Operation<{ input: object }, { startVacuum: StartedJob }>;
  "start-restore-test": Operation<{ input: { backup?: string } }, { startRestoreTest: StartedJob }>;
  backups: Operation<{ first: number; after?: string }, { backups: Connection<Backup> }>;
  audit: Operation<
    { first: number; after?: string; actor?: string; action?: string },
    { audit: Connection<AuditEntry> }
  >;
  "audit-verification": Operation<{ from?: string }, { auditVerification: AuditVerification }>;
  "cleanup-receipt": Operation<{ job: string }, { cleanupReceipt: CleanupReceipt | null }>;
}

export interface Backup {
  id: string;
  takenAt: string;
  kind: "PG_DUMP" | "PGLITE";
  serverVersion: string;
  sha256: string;
  bytes: number | string;
  rows: number | string;
  artifacts: number;
  artifactBytes: number | string;
  mirroredAt: string | null;
}

export interface CleanupReceipt {
  dryRun: boolean;
  days: number;
  versions: { model: string; number: number; was: string }[];
  artifacts: { sha256: string; bytes: number }[];
  backups: { id: string; takenAt: string; bytes: number }[];
  jobs: { id: string; kind: string }[];
  indexes: { id: number; collectionId: number }[];
}

export interface AuditEntry {
  id: string;
  at: string;
  actor: string;
  action: string;
  target: string | null;
  outcome: string;
  requestId: string;
  detail: Record<string, unknown>;
}

export interface AuditVerification {
  ok: boolean;
  entries: number | string;
  seals: number | string;
  heads: number;
  from: string | null;
  to: string | null;
  findings: { kind: string; where: string; message: string }[];
  limits: string[];
}
