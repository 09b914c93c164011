import type { Transaction } from "../../ports/database.js";
import type { Page, PageRequest } from "../../shared/pagination.js";
import { newestFirst } from "../operations/index.js";
import { BackupRow } from "./backup.entity.js";
import type { BackupManifest } from "./backup-manifest.rules.js";

/** Backups as rows. */
export class BackupRepository {
  constructor(private readonly tx: Transaction) {}

  /** Does nothing when it is known. */
  async insert(manifest: BackupManifest, jobId: string | null): Promise<void> {
    const sum = (numbers: number[]) => numbers.reduce((total, number) => total + number, 0);
    await this.tx
      .createQueryBuilder()
      .insert()
      .into(BackupRow)
      .values({
        id: manifest.id,
        jobId,
        takenAt: new Date(manifest.takenAt),
        kind: manifest.kind,
        serverVersion: manifest.serverVersion,
        ...manifest.dump,
        rowCount: sum(Object.values(manifest.rows)),
        artifactCount: manifest.artifacts.length,
        artifactBytes: sum(manifest.artifacts.map(({ bytes }) => bytes)),
      })
      .orIgnore()
      .execute();
  }

  find(id: string): Promise<BackupRow | null> {
    return this.tx.findOneBy(BackupRow, { id });
  }

  /** Newest first. */
  all(): Promise<BackupRow[]> {
    return this.tx.find(BackupRow, { order: { takenAt: "DESC", id: "DESC" } });
  }

  newest(): Promise<BackupRow | null> {
    return this.tx.findOne(BackupRow, { where: {}, order: { takenAt: "DESC", id: "DESC" } });
  }

  async noteMirrored(id: string): Promise<void> {
    await this.tx.update(BackupRow, id, { mirroredAt: new Date() });
  }

  async remove(id: string): Promise<void> {
    await this.tx.delete(BackupRow, id);
  }

  list(page: PageRequest): Promise<Page<BackupRow>> {
    return newestFirst(this.tx.createQueryBuilder(BackupRow, "backup"), page, "takenAt");
  }

  /** Migrations that this database has. */
  static readonly MIGRATIONS = "SELECT name FROM migrations ORDER BY id";

  /** Objects that versions refer to and that have not been removed, once each. */
  static readonly ARTIFACTS = `
    SELECT DISTINCT file.sha256, file.bytes FROM model_versions version,
      LATERAL (SELECT version.sha256, version.bytes UNION ALL
        SELECT f.sha256, f.bytes FROM jsonb_to_recordset(version.files) AS f (sha256 text, bytes bigint)) file
    WHERE version.status = 'READY' AND version.artifact_removed_at IS NULL ORDER BY file.sha256`;
}
