import type { RunQuery } from "../../ports/database-dumper.js";

/** Rows of every table of the platform, by `schema.table`; the queue's own are left out. */
export async function countRows(query: RunQuery): Promise<Record<string, number>> {
  const tables = await query<{ schema: string; name: string; quoted: string }>(
    `SELECT n.nspname AS schema, c.relname AS name, format('%I.%I', n.nspname, c.relname) AS quoted
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p') AND n.nspname IN ('public', 'vectors')
       AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
     ORDER BY 1, 2`,
  );
  const counts: Record<string, number> = {};
  for (const { schema, name, quoted } of tables) {
    const [row] = await query<{ count: string }>(`SELECT count(*) AS count FROM ${quoted}`);
    counts[`${schema}.${name}`] = Number(row!.count);
  }
  return counts;
}
