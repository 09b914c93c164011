export interface ExportedTable {
  name: string;
  /** Columns whose value is another elsewhere: SQL in the column's place. */
  values?: Readonly<Record<string, string>>;
  /** Left out where the export is made without predictions. */
  predictions?: true;
}

/**
 * What travels, in an order in which foreign keys hold. Columns are those that the database has, so that a new one
 * needs no change here.
 */
export const exportedTables: readonly ExportedTable[] = [
  { name: "curves" },
  { name: "curve_snapshots" },
  { name: "models" },
  { name: "model_versions" },
  { name: "stage_transitions" },
  { name: "promotion_requests" },
  // Indexes are built anew: one serves as soon as that is done.
  { name: "collections", values: { serving_index_id: "NULL", reindex_job_id: "NULL" } },
  { name: "documents" },
  { name: "metadata_keys" },
  // What was under way is accepted work: it waits to be begun again.
  { name: "jobs", values: { state: "CASE WHEN finished_at IS NULL THEN 'WAITING' ELSE state END" } },
  { name: "training_runs" },
  // Parts of runs under way, whose jobs have completed.
  { name: "training_segments" },
  { name: "idempotency_keys" },
  { name: "outbox_events" },
  // Good for what they were where the secrets move along.
  { name: "api_keys" },
  { name: "audit_entries" },
  // The chain goes on where the entries go.
  { name: "audit_seals" },
  { name: "inference_records", predictions: true },
];

/** What stays behind, and why nothing is lost by it. */
export const tablesLeftBehind: Readonly<Record<string, string>> = {
  migrations: "each database notes its own",
  event_origin: "the import sets it, so that cursors of before go on meaning what they meant",
  postings: "made anew from the documents, by the dictionaries of the database that will be searched",
  search_indexes:
    "vectors are embedded anew by the versions in production, into the kind of index that the tier has",
  backups: "they and what is noted of them belong to the object store that was left",
  caller_positions: "places in the log of the server that was left",
  pending_embeddings: "what an index lacked; the new one gets every document",
};
