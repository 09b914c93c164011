import { eventually } from "./platform.js";
import type { Answer, Platform } from "./platform.js";

export interface DocumentInput {
  key: string;
  title?: string | null;
  text: string;
  metadata?: unknown;
  publishedAt?: string | null;
}

export interface Ingested {
  created: number;
  updated: number;
  unchanged: number;
  cursor: string;
  job: { id: string; kind: string; state: string };
}

export function createCollection(platform: Platform, input: Record<string, unknown>) {
  return platform.query<{ createCollection: { collection: { id: string; name: string } } }>(
    `mutation Create($input: CreateCollectionInput!) { createCollection(input: $input) { collection { id name } } }`,
    { input },
  );
}

export function askIngest(
  platform: Platform,
  collection: string,
  documents: readonly unknown[],
  options: Record<string, unknown> = {},
): Promise<Answer<{ ingestDocuments: Ingested }>> {
  return platform.ask(
    `mutation Ingest($input: IngestDocumentsInput!) {
      ingestDocuments(input: $input) { created updated unchanged cursor job { id kind state } }
    }`,
    { input: { collection, documents, ...options } },
  );
}

export async function ingest(
  platform: Platform,
  collection: string,
  documents: readonly DocumentInput[],
  options: Record<string, unknown> = {},
): Promise<Ingested> {
  const { data, errors } = await askIngest(platform, collection, documents, options);
  if (errors) throw new Error(JSON.stringify(errors));
  return data!.ingestDocuments;
}

export async function deleteDocuments(
  platform: Platform,
  collection: string,
  keys: readonly string[],
): Promise<number> {
  const { deleteDocuments: outcome } = await platform.query<{ deleteDocuments: { deleted: number } }>(
    `mutation Delete($input: DeleteDocumentsInput!) { deleteDocuments(input: $input) { deleted } }`,
    { input: { collection, keys } },
  );
  return outcome.deleted;
}

export interface JobAsItIs {
  state: string;
  progress: number;
  attempts: number;
  error: string | null;
  result: Record<string, number> | null;
}

export async function jobOf(platform: Platform, id: string): Promise<JobAsItIs> {
  const { job } = await platform.query<{ job: JobAsItIs }>(
    `query Job($id: ID!) { job(id: $id) { state progress attempts error result } }`,
    { id },
  );
  return job;
}

/** The job once it has ended, whichever way. */
export function endedJob(platform: Platform, id: string, timeoutMs = 60_000): Promise<JobAsItIs> {
  return eventually(
    () => jobOf(platform, id),
    ({ state }) => ["COMPLETED", "FAILED", "CANCELLED"].includes(state),
    timeoutMs,
  );
}
