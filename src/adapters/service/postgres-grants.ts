import pg from "pg";
import { PreconditionFailedError } from "../../shared/errors.js";

/** What the platform may add to, and never change. */
const ADDED_TO = ["audit_entries", "audit_seals"];
const READ_ONLY = ["migrations"];

/**
 * Gives the role that the platform runs with what it needs on the tables of another. The audit log it may read and
 * add to, and as it owns no table, it can neither change the log's triggers nor take them away.
 * @param owner leads to the database as the owner of the tables, and of the database
 * @param application the same as the platform's role
 * @throws {PreconditionFailedError} when both are one role
 */
export async function grantToApplication(
  owner: pg.ClientConfig,
  application: pg.ClientConfig,
): Promise<void> {
  const role = await connected(application, currentRole);
  await connected(owner, async (client) => {
    if ((await currentRole(client)) === role) {
      throw new PreconditionFailedError("ML_MIGRATIONS_DSN: must name another role than ML_VECTOR_DB_DSN");
    }
    await client.query("BEGIN");
    // Processes that start together do so one after the other.
    await client.query("SELECT pg_advisory_xact_lock(hashtextextended('grants', 0))");
    for (const statement of await grants(client, pg.escapeIdentifier(role))) await client.query(statement);
    await client.query("COMMIT");
  });
}

async function grants(client: pg.Client, role: string): Promise<string[]> {
  const { rows: tables } = await client.query<{ schema: string; name: string; quoted: string }>(
    `SELECT n.nspname AS schema, c.relname AS name, format('%I.%I', n.nspname, c.relname) AS quoted
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p') AND (n.nspname = 'public' OR n.nspname = 'vectors' AND c.relowner <> $1::regrole)
       AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')`,
    [role],
  );
  const { rows } = await client.query<{ name: string }>("SELECT current_database() AS name");
  return [
    `GRANT CONNECT, CREATE, TEMPORARY ON DATABASE ${pg.escapeIdentifier(rows[0]!.name)} TO ${role}`,
    `GRANT USAGE ON SCHEMA public, partitions TO ${role}`,
    // Partitions are reached through their tables; a dump reads them one by one.
    `GRANT SELECT ON ALL TABLES IN SCHEMA partitions TO ${role}`,
    `ALTER DEFAULT PRIVILEGES IN SCHEMA partitions GRANT SELECT ON TABLES TO ${role}`,
    // Tables of vectors, which the platform makes itself.
    `GRANT USAGE, CREATE ON SCHEMA vectors TO ${role}`,
    `GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO ${role}`,
    ...tables.map(({ schema, name, quoted }) =>
      schema === "vectors"
        ? `ALTER TABLE ${quoted} OWNER TO ${role}`
        : `REVOKE ALL ON ${quoted} FROM ${role}; GRANT ${rightsOn(name)} ON ${quoted} TO ${role}`,
    ),
  ];
}

function rightsOn(table: string): string {
  if (READ_ONLY.includes(table)) return "SELECT";
  return ADDED_TO.includes(table) ? "SELECT, INSERT" : "SELECT, INSERT, UPDATE, DELETE, REFERENCES";
}

async function currentRole(client: pg.Client): Promise<string> {
  const { rows } = await client.query<{ role: string }>("SELECT current_user AS role");
  return rows[0]!.role;
}

async function connected<T>(
  connection: pg.ClientConfig,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client(connection);
  client.on("error", () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
