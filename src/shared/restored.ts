/** What a restore, or the test of one, came to. */
export interface Restored {
  /** Id of the backup. */
  backup: string;
  /** RFC 3339. */
  takenAt: string;
  /** By table, as backed up and as restored. */
  rows: Record<string, number>;
  /** `copied`: of them, those that only a mirror has had; a test leaves them there. */
  artifacts: { verified: number; copied: number; bytes: number };
  seconds: number;
}
