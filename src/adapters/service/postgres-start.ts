import pg from "pg";
import { PreconditionFailedError } from "../../shared/errors.js";
import type { AdapterLog } from "../adapter-log.js";
import { awaitServer } from "../await-server.js";
import type { ConnectedClient } from "../postgres/cancel-statement.js";

/** The first pgvector without known flaws in its indexes. */
const SOUND_PGVECTOR = [0, 8, 7];

/** No such role, wrong password, no such database: waiting does not help. */
const FINAL_STATES = new Set(["28000", "28P01", "3D000", "42501"]);

export interface AwaitPostgresOptions {
  timeoutMs: number;
  log?: AdapterLog;
  /** What else must hold. */
  inspect?: (client: pg.Client) => Promise<void>;
}

/**
 * Waits until the server takes writes, and has what the platform needs.
 * @param name of the variable that holds the DSN
 * @throws {UnavailableError} when it does not come, or refuses the credentials or its certificate does not hold
 * @throws {PreconditionFailedError} without pgvector
 */
export async function awaitPostgres(
  name: string,
  connection: pg.ClientConfig,
  { timeoutMs, log, inspect }: AwaitPostgresOptions,
): Promise<void> {
  const attempt = async () => {
    const client = new pg.Client(connection);
    client.on("error", () => undefined);
    // One that was refused amid its handshake never says that it has ended.
    await client.connect().catch((error: Error) => {
      (client as unknown as ConnectedClient).connection.stream.destroy();
      throw error;
    });
    try {
      await assertTakesWrites(client);
      await inspect?.(client);
      return await pgvectorVersion(client);
    } finally {
      await client.end().catch(() => undefined);
    }
  };
  const version = await awaitServer(name, attempt, { timeoutMs, log, isFinal: isFinalRefusal });
  if (version === undefined) {
    throw new PreconditionFailedError(
      `${name}: the server has no pgvector; install the extension "vector", ${SOUND_PGVECTOR.join(".")} or newer`,
    );
  }
  if (isOlder(version, SOUND_PGVECTOR)) {
    log?.warn(
      { event: "database.old_pgvector", version },
      `pgvector ${version} of ${name} has known flaws; ${SOUND_PGVECTOR.join(".")} is the oldest that has not`,
    );
  }
}

/** Whether the server, asked again, would answer the same. */
export function isFinalRefusal(error: Error): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code !== undefined && (FINAL_STATES.has(code) || isCertificateError(code));
}

/** OpenSSL's verdicts on a certificate, and Node's on the name in it. */
function isCertificateError(code: string): boolean {
  return /^(ERR_TLS_CERT_|ERR_SSL_|ERR_OSSL_|CERT_|SELF_SIGNED_|DEPTH_ZERO_|UNABLE_TO_)/.test(code);
}

/** During a failover the old address may lead to a server that still follows. */
async function assertTakesWrites(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ follows: boolean }>("SELECT pg_is_in_recovery() AS follows");
  if (rows[0]!.follows) throw new Error("it is a standby, which takes no writes");
}

/** Of the extension in this database, or else of the one that the server would install. */
async function pgvectorVersion(client: pg.Client): Promise<string | undefined> {
  const { rows } = await client.query<{ version: string }>(
    `SELECT coalesce(installed_version, default_version) AS version FROM pg_available_extensions WHERE name = 'vector'`,
  );
  return rows[0]?.version;
}

function isOlder(version: string, than: readonly number[]): boolean {
  const parts = version.split(".").map(Number);
  const at = than.findIndex((part, i) => (parts[i] ?? 0) !== part);
  return at >= 0 && (parts[at] ?? 0) < than[at]!;
}
