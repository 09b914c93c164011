import { createHash } from "node:crypto";
import type { Readable } from "node:stream";
import { GetObjectCommand, ListObjectsV2Command } from "@aws-sdk/client-s3";
import { countRows } from "../../src/modules/upkeep/row-counts.js";
import type { PostgresServer } from "../support/postgres-server.js";
import { s3Client } from "../faults/place.js";

/** What the database has, to be compared. */
export interface Contents {
  rows: Record<string, number>;
  /** Of READY versions. */
  artifacts: { sha256: string; bytes: number }[];
  bytes: number;
  unfinishedJobs: number;
}

/** Rows of these go when a job or a training has ended. */
const PASSING = new Set(["public.training_segments"]);

export async function contentsOf(server: PostgresServer, database: string): Promise<Contents> {
  const query = <T extends object>(sql: string) => server.query<T>(sql, [], database);
  const rows = await countRows(query as never);
  const artifacts = await query<{ sha256: string; bytes: string }>(
    "SELECT DISTINCT sha256, bytes FROM model_versions WHERE status = 'READY' AND artifact_removed_at IS NULL",
  );
  const [sizes] = await query<{ bytes: string; unfinished: string }>(
    `SELECT pg_database_size(current_database()) AS bytes,
       (SELECT count(*) FROM jobs WHERE finished_at IS NULL) AS unfinished`,
  );
  return {
    rows,
    artifacts: artifacts.map(({ sha256, bytes }) => ({ sha256, bytes: Number(bytes) })),
    bytes: Number(sizes!.bytes),
    unfinishedJobs: Number(sizes!.unfinished),
  };
}

/** Tables that have fewer rows than they had before, and artifacts that are not known any more: in words. */
export function lackingOf(before: Contents, after: Contents): string[] {
  const fewer = Object.entries(before.rows)
    .filter(([table, count]) => !PASSING.has(table) && (after.rows[table] ?? 0) < count)
    .map(([table, count]) => `${table} has ${after.rows[table] ?? 0} of ${count} rows`);
  const known = new Set(after.artifacts.map(({ sha256 }) => sha256));
  const unknown = before.artifacts.filter(({ sha256 }) => !known.has(sha256));
  return [...fewer, ...unknown.map(({ sha256 }) => `no version has the artifact ${sha256}`)];
}

export const sumOf = (counts: Record<string, number>): number =>
  Object.values(counts).reduce((sum, count) => sum + count, 0);

/** Artifacts that the bucket has not, or has with other bytes. */
export async function damagedIn(
  endpoint: string,
  Bucket: string,
  artifacts: Contents["artifacts"],
): Promise<string[]> {
  const client = s3Client(endpoint);
  const { Contents: objects = [] } = await client.send(new ListObjectsV2Command({ Bucket }));
  const damaged: string[] = [];
  for (const { sha256 } of artifacts) {
    const key = objects.find(({ Key }) => Key!.endsWith(sha256))?.Key;
    const digest = key === undefined ? undefined : await digestOf(Bucket, key);
    if (digest !== sha256) damaged.push(`${Bucket}: ${sha256} is ${digest ?? "missing"}`);
  }
  client.destroy();
  return damaged;

  async function digestOf(bucket: string, key: string): Promise<string> {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    const digest = createHash("sha256");
    for await (const chunk of Body as Readable) digest.update(chunk as Buffer);
    return digest.digest("hex");
  }
}
