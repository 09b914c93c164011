import type { Transaction } from "../../ports/database.js";
import type { VersionStatus } from "./model-version.entity.js";

export interface ExpiredVersion {
  id: string;
  modelId: string;
  model: string;
  number: number;
  status: VersionStatus;
}

/** Versions as a cleanup sees them. */
export class VersionCleanupRepository {
  constructor(private readonly tx: Transaction) {}

  /** READY ones that were archived before that time, others that were created before it; PENDING ones become REJECTED. */
  expired(before: Date, id?: string): Promise<ExpiredVersion[]> {
    return this.tx.query<ExpiredVersion[]>(
      `SELECT v.id, v.model_id AS "modelId", m.name AS model, v.number, v.status
       FROM model_versions v JOIN models m ON m.id = v.model_id
       WHERE v.artifact_removed_at IS NULL AND NOT v.protected AND ($2::uuid IS NULL OR v.id = $2)
         AND NOT EXISTS (SELECT FROM jobs j WHERE j.id = v.validation_job_id AND j.finished_at IS NULL)
         AND CASE v.status
           WHEN 'READY' THEN v.stage = 'ARCHIVED' AND $1 > (SELECT max(t.at) FROM stage_transitions t
             WHERE t.model_id = v.model_id AND v.id IN (t.version_id, t.retired_id))
           ELSE v.created_at < $1 END
       ORDER BY m.name, v.number`,
      [before, id ?? null],
    );
  }

  async lockModelOf(versionId: string): Promise<void> {
    await this.tx.query(
      "SELECT FROM models WHERE id = (SELECT model_id FROM model_versions WHERE id = $1) FOR UPDATE",
      [versionId],
    );
    await this.tx.query("SELECT FROM model_versions WHERE id = $1 FOR UPDATE", [versionId]);
  }

  async giveUp({ id }: ExpiredVersion): Promise<void> {
    await this.tx.query(
      `UPDATE model_versions SET artifact_removed_at = clock_timestamp(),
         rejection = CASE status WHEN 'PENDING' THEN 'its upload was never completed' ELSE rejection END,
         status = CASE status WHEN 'PENDING' THEN 'REJECTED' ELSE status END
       WHERE id = $1`,
      [id],
    );
  }

  /** Waits for those who write versions, and makes others wait; readers go on. */
  async lockTable(): Promise<void> {
    await this.tx.query("LOCK TABLE model_versions IN SHARE ROW EXCLUSIVE MODE");
  }

  /**
   * Digests that versions refer to.
   * @param among of these, or null: of all
   * @param besides versions that do not count
   */
  async referenced(among: readonly string[] | null, besides: readonly string[] = []): Promise<Set<string>> {
    const rows = await this.tx.query<{ sha256: string }[]>(
      `WITH kept AS
         (SELECT sha256, files FROM model_versions WHERE artifact_removed_at IS NULL AND id <> ALL($2::uuid[]))
       SELECT sha256 FROM
         (SELECT sha256 FROM kept
          UNION SELECT file ->> 'sha256' FROM kept, jsonb_array_elements(files) AS file) AS digests (sha256)
       WHERE $1::text[] IS NULL OR sha256 = ANY($1)`,
      [among, besides],
    );
    return new Set(rows.map(({ sha256 }) => sha256));
  }
}
