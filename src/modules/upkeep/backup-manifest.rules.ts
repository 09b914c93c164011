import type { DumpKind } from "../../ports/database-dumper.js";
import { InvalidInputError } from "../../shared/errors.js";

export interface StoredFile {
  sha256: string;
  bytes: number;
}

/** What is written beside a backup, so that it can be found and judged without any database. */
export interface BackupManifest {
  format: 1;
  id: string;
  /** RFC 3339 in UTC: no later than the snapshot. */
  takenAt: string;
  kind: DumpKind;
  serverVersion: string;
  /** Names of the migrations that the dump contains. */
  migrations: string[];
  dump: StoredFile;
  /** How the dump is encrypted; absent: not at all. */
  encryption?: "age";
  /** Rows by table, `schema.table`. */
  rows: Record<string, number>;
  /** Every object that the dump's rows refer to. */
  artifacts: StoredFile[];
}

type BackupIdentity = Pick<BackupManifest, "id" | "takenAt">;
type DumpIdentity = Pick<BackupManifest, "id" | "takenAt" | "encryption">;

/** Folder of all backups in the archive; the folders of single ones sort by time. */
export const BACKUPS = "backups/";

/** Digest and size in the manifest are those of this file, encrypted as it may be. */
export function dumpName(backup: DumpIdentity): string {
  return `${folderOf(backup)}/database.dump${backup.encryption === undefined ? "" : ".age"}`;
}

/** Every name that a dump of the backup may have. */
export function dumpNames(backup: BackupIdentity): string[] {
  return [dumpName(backup), dumpName({ ...backup, encryption: "age" })];
}

/** Written last: a backup without it is unfinished. */
export function manifestName(backup: BackupIdentity): string {
  return `${folderOf(backup)}/manifest.json`;
}

/** Whether a name of the archive is that of a manifest. */
export function isManifest(name: string): boolean {
  return name.startsWith(BACKUPS) && name.endsWith("/manifest.json");
}

function folderOf({ id, takenAt }: BackupIdentity): string {
  return `${BACKUPS}${takenAt.slice(0, 19).replaceAll(":", "-")}Z-${id}`;
}

export function writeManifest(manifest: BackupManifest): string {
  return `${JSON.stringify(manifest, undefined, 2)}\n`;
}

const DIGEST = /^[0-9a-f]{64}$/;

/** @throws {InvalidInputError} when it is no manifest of a backup */
export function readManifest(content: string, source: string): BackupManifest {
  let read: Partial<BackupManifest> | null;
  try {
    read = JSON.parse(content) as Partial<BackupManifest>;
  } catch {
    read = null;
  }
  const wellFormed =
    read?.format === 1 &&
    typeof read.id === "string" &&
    typeof read.takenAt === "string" &&
    (read.kind === "pg_dump" || read.kind === "pglite") &&
    typeof read.serverVersion === "string" &&
    Array.isArray(read.migrations) &&
    isFile(read.dump) &&
    (read.encryption === undefined || read.encryption === "age") &&
    typeof read.rows === "object" &&
    Array.isArray(read.artifacts) &&
    read.artifacts.every(isFile);
  if (!wellFormed) throw InvalidInputError.at("from", `${source} is not the manifest of a backup`);
  return read as BackupManifest;
}

function isFile(file: StoredFile | undefined): boolean {
  return (
    file !== undefined && DIGEST.test(file.sha256) && Number.isSafeInteger(file.bytes) && file.bytes >= 0
  );
}

/** What is different, table by table; empty when nothing is. */
export function countDifferences(expected: Record<string, number>, actual: Record<string, number>): string[] {
  const tables = [...new Set([...Object.keys(expected), ...Object.keys(actual)])].sort();
  return tables
    .filter((table) => expected[table] !== actual[table])
    .map(
      (table) =>
        `${table}: ${expected[table] ?? "no table"} backed up, ${actual[table] ?? "no table"} restored`,
    );
}
