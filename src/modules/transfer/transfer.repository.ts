import type { Transaction } from "../../ports/database.js";
import type { TransferredArtifact } from "./transfer-manifest.js";

/** A file that model versions consist of. */
export interface ReferredArtifact extends TransferredArtifact {
  /** Some version of it can be served. */
  needed: boolean;
  /** One of the versions, for people. */
  version: string;
}

/** What concerns a whole export or import. */
export class TransferRepository {
  constructor(private readonly tx: Transaction) {}

  /** Lets statements take as long as they must, and times be written in UTC. */
  async prepare(): Promise<void> {
    for (const setting of SETTINGS) await this.tx.query(`SET LOCAL ${setting}`);
  }

  /** Nobody else writes to the tables until the transaction ends. */
  async lock(tables: readonly string[]): Promise<void> {
    await this.tx.query(
      `LOCK TABLE ${tables.map((name) => `public."${name}"`).join(", ")} IN SHARE ROW EXCLUSIVE MODE`,
    );
  }

  /** The files of all model versions, by digest. */
  async artifacts(): Promise<ReferredArtifact[]> {
    const rows = await this.tx.query<(Omit<ReferredArtifact, "bytes"> & { bytes: string })[]>(
      `SELECT file.sha256, max(file.bytes) AS bytes,
         bool_or(v.status = 'READY' AND v.artifact_removed_at IS NULL) AS needed,
         min(format('%s version %s', m.name, v.number)) AS version
       FROM model_versions v JOIN models m ON m.id = v.model_id,
         LATERAL (SELECT v.sha256, v.bytes UNION ALL
           SELECT beside->>'sha256', (beside->>'bytes')::bigint FROM jsonb_array_elements(v.files) AS beside) AS file
       GROUP BY file.sha256 ORDER BY file.sha256 COLLATE "C"`,
    );
    return rows.map((row) => ({ ...row, bytes: Number(row.bytes) }));
  }
}

const SETTINGS = [
  "statement_timeout = 0",
  "lock_timeout = '30s'",
  "idle_in_transaction_session_timeout = 0",
  "TimeZone = 'UTC'",
  "DateStyle = 'ISO'",
  "extra_float_digits = 1",
];
