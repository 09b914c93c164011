import pg from "pg";

const ROWS_A_STATEMENT = 10_000;

/** Logs predictions of about a kilobyte, hardly compressible, until the database has that size. @returns its bytes */
export async function fillPredictions(dsn: string, untilBytes: number): Promise<number> {
  const client = new pg.Client({ connectionString: dsn });
  await client.connect();
  try {
    for (;;) {
      await client.query(
        `INSERT INTO inference_records (id, kind, version_id, caller, at, latency_ms, inputs, outputs)
         SELECT gen_random_uuid(), 'prediction', gen_random_uuid(), 'bench', now(), 1, v, v FROM (
           SELECT to_json((SELECT string_agg(md5(random()::text || i || n), '') FROM generate_series(1, 14) AS n)) AS v
           FROM generate_series(1, ${ROWS_A_STATEMENT}) AS i) AS made`,
      );
      const { rows } = await client.query<{ bytes: string }>(
        "SELECT pg_database_size(current_database()) AS bytes",
      );
      if (Number(rows[0]!.bytes) > untilBytes) return Number(rows[0]!.bytes);
    }
  } finally {
    await client.end();
  }
}
