import pg from "pg";
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
export async function preparePooler({
  direct,
  pooled,
  timeOuts,
  startTimeoutMs: timeoutMs,
  log,
}: PoolerOptions): Promise<void> {
  await connectedAs(direct, (client) => giveToRole(client, timeOuts));
  await awaitPostgres(VARIABLE, pooled, { timeoutMs, log });
  const expected = await connectedAs(direct, whereAmI);
  const client = new pg.Client(pooled);
  client.on("error", () => undefined);
  await client.connect();
  try {
    const found = await whereAmI(client);
    if (found !== expected) {
      throw new PreconditionFailedError(
        `${VARIABLE}: leads to another database than ML_VECTOR_DB_DSN: ${found}, not ${expected}`,
      );
    }
    const late = await unlike(client, timeOuts);
    if (late.length > 0) {
      log?.warn(
        { event: "database.pooler_lags", settings: late },
        "sessions of the pooler are older than the time-outs; they hold when it has made new ones",
      );
    }
  } finally {
    await client.end();
  }
}

/** @param timeOuts for sessions of the current role in the current database that begin from now on */
async function giveToRole(client: pg.Client, timeOuts: TimeOuts): Promise<void> {
  await client.query("BEGIN");
  // Of processes that start together one changes the role's row at a time.
  await client.query("SELECT pg_advisory_xact_lock(hashtextextended('role-settings', 0))");
  const { rows } = await client.query<{ database: string; settings: string[] | null }>(
    `SELECT quote_ident(current_database()) AS database,
       (SELECT setconfig FROM pg_db_role_setting JOIN pg_roles AS r ON r.oid = setrole JOIN pg_database AS d ON d.oid = setdatabase
        WHERE r.rolname = current_user AND d.datname = current_database()) AS settings`,
  );
  const { database, settings } = rows[0]!;
  for (const [name, value] of Object.entries(timeOuts)) {
    if (settings?.includes(`${name}=${value}`)) continue;
    await client.query(`ALTER ROLE CURRENT_USER IN DATABASE ${database} SET ${name} = '${value}'`);
  }
  await client.query("COMMIT");
}

/** The settings of this session that are others. */
async function unlike(client: pg.Client, timeOuts: TimeOuts): Promise<string[]> {
  const { rows } = await client.query<{ name: string; setting: string }>(
    "SELECT name, setting FROM pg_settings WHERE name = ANY($1)",
    [Object.keys(timeOuts)],
  );
  return rows.filter(({ name, setting }) => Number(setting) !== timeOuts[name]).map(({ name }) => name);
}

/** Which database of which server; those that follow a server are one with it. */
async function whereAmI(client: pg.Client): Promise<string> {
  const { rows } = await client.query<{ place: string }>(
    "SELECT current_database() || ' of ' || system_identifier AS place FROM pg_control_system()",
  );
  return rows[0]!.place;
}
