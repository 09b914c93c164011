import type { StoredFile } from "./backup-manifest.rules.js";

/** Everything that a cleanup removes, or would remove. */
export interface CleanupReceipt {
  dryRun: boolean;
  days: number;
  /** Versions that lose their artifact; `was`: READY stands for archived. */
  versions: { id: string; model: string; number: number; was: string }[];
  artifacts: StoredFile[];
  backups: { id: string; takenAt: string; sha256: string; bytes: number }[];
  jobs: { id: string; kind: string }[];
  indexes: { id: number; collectionId: number }[];
  /** Uploads in parts that were begun and never ended. */
  uploads: number;
}

export const LISTS = ["versions", "artifacts", "backups", "jobs", "indexes"] as const;

/** How much there is of everything; bytes of the artifacts together. */
export function countsOf(receipt: CleanupReceipt): Record<string, number> {
  const counts = Object.fromEntries(LISTS.map((list) => [list, receipt[list].length]));
  return { ...counts, bytes: receipt.artifacts.reduce((sum, { bytes }) => sum + bytes, 0) };
}

/** What both removed together: of a cleanup that was interrupted, and of its continuation. */
export function joinReceipts(earlier: CleanupReceipt, later: CleanupReceipt): CleanupReceipt {
  const join = <T>(a: readonly T[], b: readonly T[], keyOf: (item: T) => unknown) => [
    ...new Map([...a, ...b].map((item) => [keyOf(item), item])).values(),
  ];
  return {
    ...later,
    versions: join(earlier.versions, later.versions, ({ id }) => id),
    artifacts: join(earlier.artifacts, later.artifacts, ({ sha256 }) => sha256),
    backups: join(earlier.backups, later.backups, ({ id }) => id),
    jobs: join(earlier.jobs, later.jobs, ({ id }) => id),
    indexes: join(earlier.indexes, later.indexes, ({ id }) => id),
    uploads: earlier.uploads + later.uploads,
  };
}
