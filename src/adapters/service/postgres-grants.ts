import pg from "pg";
import { PreconditionFailedError } from "../../shared/errors.js";
import { connectedAs } from "./connected-as.js";

/** What the platform may add to, and never change. */
const ADDED_TO = ["audit_entries", "audit_seals"];
const READ_ONLY = ["migrations"];

/** What nobody may be who shall not become the owner. */
const TOO_MIGHTY = [
  "pg_database_owner",
  "pg_write_all_data",
  "pg_write_server_files",
  "pg_execute_server_program",
];

/**
 * Gives the role that the platform runs with what it needs on the tables of another, and takes what is more. The audit
 * log it may read and add to, and as it owns no table, it can neither change the log's triggers nor take them away.
 * @param owner leads to the database as the owner of the tables, and of the database
 * @param application the same as the platform's role
 * @throws {PreconditionFailedError} when both are one role, or the platform's could become the owner
 */
export async function grantToApplication(
  owner: pg.ClientConfig,
  application: pg.ClientConfig,
): Promise<void> {
  const role = await connectedAs(application, currentRole);
  await connectedAs(owner, async (client) => {
    const ownRole = await currentRole(client);
    if (ownRole === role) {
      throw new PreconditionFailedError("ML_MIGRATIONS_DSN: must name another role than ML_VECTOR_DB_DSN");
    }
    await assertLowly(client, role, ownRole);
    await client.query("BEGIN");
    // Processes that start together do so one after the other.
    await client.query("SELECT pg_advisory_xact_lock(hashtextextended('grants', 0))");
    for (const statement of await grants(client, pg.escapeIdentifier(role))) await client.query(statement);
    await assertMakesNothing(client, role);
    await client.query("COMMIT");
  });
}

/** @throws {PreconditionFailedError} for a superuser, who may create roles, or is a member of the owner */
async function assertLowly(client: pg.Client, role: string, owner: string): Promise<void> {
  const { rows } = await client.query<{ mighty: boolean }>(
    `SELECT rolsuper OR rolcreaterole OR EXISTS (SELECT FROM pg_roles AS other
       WHERE other.rolname = ANY($2) AND pg_has_role(own.oid, other.oid, 'MEMBER')) AS mighty
     FROM pg_roles AS own WHERE rolname = $1`,
    [role, [owner, ...TOO_MIGHTY]],
  );
  if (!rows[0]!.mighty) return;
  throw new PreconditionFailedError(
    "ML_VECTOR_DB_DSN: beside ML_MIGRATIONS_DSN its role must be no superuser, create no roles, " +
      `and be no member of ${owner} or of ${TOO_MIGHTY.join(", ")}`,
  );
}

/** What a role may make where the owner looks for names, the owner might call. */
async function assertMakesNothing(client: pg.Client, role: string): Promise<void> {
  const { rows } = await client.query<{ place: string }>(
    `SELECT 'in the schema ' || nspname AS place FROM pg_namespace
     WHERE nspname IN ('public', 'partitions') AND has_schema_privilege($1::name, oid, 'CREATE')
     UNION ALL SELECT 'schemas' WHERE has_database_privilege($1::name, current_database(), 'CREATE')`,
    [role],
  );
  if (rows.length === 0) return;
  const places = rows.map(({ place }) => place).join(", ");
  throw new PreconditionFailedError(
    `ML_VECTOR_DB_DSN: beside ML_MIGRATIONS_DSN its role must not create ${places}; revoke what lets it`,
  );
}

async function grants(client: pg.Client, role: string): Promise<string[]> {
  const { rows: tables } = await client.query<{ schema: string; name: string; quoted: string }>(
    `SELECT n.nspname AS schema, c.relname AS name, format('%I.%I', n.nspname, c.relname) AS quoted
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p') AND (n.nspname = 'public' OR n.nspname = 'vectors' AND c.relowner <> $1::regrole)
       AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')`,
    [role],
  );
  const { rows } = await client.query<{ name: string }>("SELECT quote_ident(current_database()) AS name");
  const database = rows[0]!.name;
  const both = `${role}, PUBLIC`;
  return [
    `REVOKE CREATE ON DATABASE ${database} FROM ${both}; GRANT CONNECT, TEMPORARY ON DATABASE ${database} TO ${role}`,
    `REVOKE CREATE ON SCHEMA public, partitions FROM ${both}; GRANT USAGE ON SCHEMA public, partitions TO ${role}`,
    // Partitions are reached through their tables; a dump reads them one by one.
    `REVOKE ALL ON ALL TABLES IN SCHEMA partitions FROM ${both}; GRANT SELECT ON ALL TABLES IN SCHEMA partitions TO ${role}`,
    `ALTER DEFAULT PRIVILEGES IN SCHEMA partitions GRANT SELECT ON TABLES TO ${role}`,
    // Tables of vectors, which the platform makes itself.
    `GRANT USAGE, CREATE ON SCHEMA vectors TO ${role}`,
    `GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO ${role}`,
    ...tables.map(({ schema, name, quoted }) =>
      schema === "vectors"
        ? `ALTER TABLE ${quoted} OWNER TO ${role}`
        : `REVOKE ALL ON ${quoted} FROM ${both}; GRANT ${rightsOn(name)} ON ${quoted} TO ${role}`,
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
