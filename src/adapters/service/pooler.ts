import type pg from "pg";
import { PreconditionFailedError } from "../../shared/errors.js";
import type { AdapterLog } from "../adapter-log.js";
import { connectedAs } from "./connected-as.js";
import { awaitPostgres } from "./postgres-start.js";

/** Settings of sessions, by name, in milliseconds. */
export type TimeOuts = Record<string, number>;

export interface PoolerOptions {
  /** Leads to the server itself. */
  direct: pg.ClientConfig;
  /** Leads to it through the pooler. */
  pooled: pg.ClientConfig;
  timeOuts: TimeOuts;
  startTimeoutMs: number;
  log?: AdapterLog;
}

const VARIABLE = "ML_VECTOR_DB_POOLER";

/**
 * Prepares sessions that a pooler shares out by transactions. What a client says of itself when it connects does not
 * come through, so that the time-outs are given to the role in the database, which tells each new session.
 * @throws {UnavailableError} when the pooler does not answer, or refuses the credentials
 * @throws {PreconditionFailedError} when it leads elsewhere
 */
export async function preparePooler(options: PoolerOptions): Promise<void> {
  const { direct, pooled, timeOuts, startTimeoutMs: timeoutMs, log } = options;
  // First: to ask through the pooler may make a session there.
  const replaced = await connectedAs(direct, (client) => giveToRole(client, timeOuts));
  if (replaced.length > 0) {
    log?.warn(
      { event: "database.role_settings", settings: replaced },
      "the role's time-outs were others; all processes need the same, and sessions that the pooler has keep the former",
    );
  }
  const expected = await connectedAs(direct, whereAmI);
  const inspect = async (client: pg.Client) => {
    const found = await whereAmI(client);
    if (found === expected) return;
    throw new PreconditionFailedError(
      `${VARIABLE}: leads to another database than ML_VECTOR_DB_DSN: ${found}, not ${expected}`,
    );
  };
  await awaitPostgres(VARIABLE, pooled, { timeoutMs, log, inspect });
}

/**
 * @param timeOuts for sessions of the current role in the current database that begin from now on
 * @returns those of before that were others
 */
async function giveToRole(client: pg.Client, timeOuts: TimeOuts): Promise<string[]> {
  await client.query("BEGIN");
  // Of processes that start together one changes the role's row at a time.
  await client.query("SELECT pg_advisory_xact_lock(hashtextextended('role-settings', 0))");
  const { rows } = await client.query<{ database: string; settings: string[] | null }>(
    `SELECT quote_ident(current_database()) AS database,
       (SELECT setconfig FROM pg_db_role_setting JOIN pg_roles AS r ON r.oid = setrole JOIN pg_database AS d ON d.oid = setdatabase
        WHERE r.rolname = current_user AND d.datname = current_database()) AS settings`,
  );
  const { database, settings } = rows[0]!;
  const missing = Object.entries(timeOuts).filter(([name, value]) => !settings?.includes(`${name}=${value}`));
  for (const [name, value] of missing) {
    await client.query(`ALTER ROLE CURRENT_USER IN DATABASE ${database} SET ${name} = '${value}'`);
  }
  await client.query("COMMIT");
  return (settings ?? []).filter((setting) => missing.some(([name]) => setting.startsWith(`${name}=`)));
}

/** Which database of which server; those that follow a server are one with it. */
async function whereAmI(client: pg.Client): Promise<string> {
  const { rows } = await client.query<{ place: string }>(
    "SELECT current_database() || ' of ' || system_identifier AS place FROM pg_control_system()",
  );
  return rows[0]!.place;
}
