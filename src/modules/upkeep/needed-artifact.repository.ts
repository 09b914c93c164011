import type { Transaction } from "../../ports/database.js";

export interface NeededArtifact {
  sha256: string;
  bytes: number;
  /** When the first version that needs it was announced. */
  since: Date;
}

/** Objects that READY versions refer to and that have not been removed. */
export class NeededArtifactRepository {
  constructor(private readonly tx: Transaction) {}

  /** Once each. */
  async all(): Promise<NeededArtifact[]> {
    const rows = await this.tx.query<{ sha256: string; bytes: string; since: Date }[]>(
      `SELECT file.sha256, file.bytes, min(version.created_at) AS since FROM model_versions version,
         LATERAL (SELECT version.sha256, version.bytes UNION ALL
           SELECT f.sha256, f.bytes FROM jsonb_to_recordset(version.files) AS f (sha256 text, bytes bigint)) file
       WHERE version.status = 'READY' AND version.artifact_removed_at IS NULL
       GROUP BY file.sha256, file.bytes`,
    );
    return rows.map(({ sha256, bytes, since }) => ({ sha256, bytes: Number(bytes), since }));
  }
}
