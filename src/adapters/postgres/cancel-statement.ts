import { isIP } from "node:net";
import type { Duplex } from "node:stream";
import pg from "pg";

/** What `pg` knows of a client and does not have among its types. */
export interface ConnectedClient {
  host: string;
  port: number;
  /** False without TLS; the key in it is not enumerable. */
  ssl: boolean | { key?: unknown };
  /** The session's name and password towards whoever took the connection: a server, or a pooler before it. */
  processID: number;
  secretKey: number;
  /** The protocol, and the socket below it. */
  connection: { stream: Duplex & { remoteAddress?: string } };
}

/** The same for a connection of the protocol. */
interface Wire extends pg.Connection {
  connect(port: number | string, host?: string): void;
  requestSsl(): void;
  cancel(processID: number, secretKey: number): void;
}

/** Who takes no cancellation within this time is not waited for, in milliseconds. */
const PATIENCE_MS = 5_000;

/**
 * Asks for the end of what a session is doing, by the protocol's own request: on a connection for it alone, to the very
 * address that the session's leads to, since only there its secret is known: behind one name there may be several
 * poolers.
 * @returns when the request has been passed on, or cannot be; a statement's own time-out ends it then
 */
export function cancelStatement(client: ConnectedClient): Promise<void> {
  const { host, port, ssl, processID, secretKey } = client;
  const wire = new pg.Connection({ ssl: ssl && tlsTowards(host, ssl) } as pg.ConnectionConfig) as Wire;
  return new Promise((resolve) => {
    const impatience = setTimeout(() => wire.stream.destroy(), PATIENCE_MS).unref();
    wire.once("connect", () => (ssl ? wire.requestSsl() : wire.cancel(processID, secretKey)));
    wire.once("sslconnect", () => wire.cancel(processID, secretKey));
    // The end follows each.
    wire.on("error", () => undefined);
    // The other side closes the connection when it has done what was asked.
    wire.once("end", () => {
      clearTimeout(impatience);
      resolve();
    });
    if (host.startsWith("/")) wire.connect(`${host}/.s.PGSQL.${port}`);
    else wire.connect(port, client.connection.stream.remoteAddress ?? host);
  });
}

/** The certificate must name the host that was asked for, not its address. */
function tlsTowards(host: string, ssl: true | { key?: unknown }): object {
  const named = isIP(host) === 0 ? { host, servername: host } : { host };
  return ssl === true ? named : { ...named, ...ssl, ...(ssl.key === undefined ? {} : { key: ssl.key }) };
}
