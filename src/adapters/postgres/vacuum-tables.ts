/** One statement at a time: VACUUM runs in no transaction. */
type Query = (sql: string) => Promise<unknown>;

/** Vacuums and analyses what its role owns, table by table: where there is one backend, others get it between two of them. */
export async function vacuumTables(query: Query): Promise<void> {
  const tables = (await query(
    `SELECT format('%I.%I', n.nspname, c.relname) AS name
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'm') AND pg_has_role(c.relowner, 'USAGE') AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
     ORDER BY 1`,
  )) as { name: string }[];
  for (const { name } of tables) {
    try {
      await query(`VACUUM (ANALYZE) ${name}`);
    } catch (error) {
      // Dropped since, as superseded indexes are.
      if ((error as { code?: string }).code !== UNDEFINED_TABLE) throw error;
    }
  }
}

const UNDEFINED_TABLE = "42P01";
