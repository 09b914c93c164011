import { readFile } from "node:fs/promises";
import pg from "pg";
import type { TlsFiles } from "../../config/config.js";
import { PreconditionFailedError } from "../../shared/errors.js";
import { textNow } from "../../shared/live-text.js";
import type { LiveText } from "../../shared/live-text.js";

/** A machine that died without a word is noticed after this and the system's own probes. */
const KEEPALIVE_MS = 10_000;
const CONNECT_TIMEOUT_MS = 5_000;

/** `options` of a session for work that takes the time it needs, whatever the role's own limits are. */
export const UNLIMITED = "-c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0";

/** What a DSN may say of its sessions, and a pooler does not pass on. */
const SESSION_PARAMETERS = [
  ...["options", "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"],
];

/** What a DSN may say about TLS, which the files that are configured decide. */
const TLS_PARAMETERS = ["ssl", "sslmode", "sslcert", "sslkey", "sslrootcert"];

/**
 * How `pg` reaches a server. With a CA or a client certificate the connection is encrypted, and the server's
 * certificate must be of that CA (or of a known one) and name the host, as `verify-full` has it; without them the
 * DSN's own `sslmode` holds. A DSN that may change is read at each connection.
 * @param pooler `host:port` to connect to in the place of the DSN's own
 * @throws {PreconditionFailedError} for a file that cannot be read
 */
export async function postgresConnection(
  dsn: LiveText,
  tls: TlsFiles,
  pooler?: string,
): Promise<pg.ClientConfig> {
  const address = () => (pooler === undefined ? textNow(dsn) : leadingTo(pooler, textNow(dsn)));
  const common = {
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEPALIVE_MS,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    application_name: "254carbon",
  };
  if (Object.values(tls).every((file) => file === undefined)) {
    return {
      ...common,
      get connectionString() {
        return address();
      },
    };
  }
  const [ca, cert, key] = await Promise.all([
    read("ML_VECTOR_DB_CA", tls.ca),
    read("ML_VECTOR_DB_CERT", tls.cert),
    read("ML_VECTOR_DB_KEY", tls.key),
  ]);
  return {
    ...common,
    get connectionString() {
      return withoutTls(address());
    },
    get ssl() {
      // The driver names the host in the handshake only; an address, which no handshake names, must be checked as well.
      const { host } = new pg.Client({ connectionString: withoutTls(address()) });
      return { ca, cert, key, host, rejectUnauthorized: true } as never;
    },
  };
}

function leadingTo(place: string, dsn: string): string {
  const url = new URL(dsn);
  const lost = SESSION_PARAMETERS.filter((parameter) => url.searchParams.has(parameter));
  if (lost.length > 0) {
    throw new PreconditionFailedError(
      `ML_VECTOR_DB_DSN: must not have ${lost.join(", ")} beside ML_VECTOR_DB_POOLER, which passes none on`,
    );
  }
  const { hostname, port } = new URL(`tcp://${place}`);
  // Both at once would lose the port where the DSN names no host.
  url.hostname = hostname;
  url.port = port;
  for (const parameter of ["host", "port"]) url.searchParams.delete(parameter);
  return url.toString();
}

/** The same connection, for one use, with {@link UNLIMITED} after the DSN's own options. */
export function unlimited(connection: pg.ClientConfig): pg.ClientConfig {
  const address = new URL(connection.connectionString!);
  const options = [address.searchParams.get("options"), UNLIMITED].filter((each) => each !== null);
  address.searchParams.set("options", options.join(" "));
  return { ...connection, connectionString: address.toString() };
}

function withoutTls(dsn: string): string {
  const address = new URL(dsn);
  for (const parameter of TLS_PARAMETERS) address.searchParams.delete(parameter);
  return address.toString();
}

async function read(variable: string, file: string | undefined): Promise<Buffer | undefined> {
  if (file === undefined) return undefined;
  return readFile(file).catch((error: Error) => {
    throw new PreconditionFailedError(`${variable}: the file cannot be read: ${error.message}`);
  });
}
