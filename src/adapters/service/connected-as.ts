import pg from "pg";
import { unlimited } from "./postgres-connection.js";

/**
 * Works on one connection, without time-outs, which is closed behind it; what it began and did not end is undone.
 * @param refused what a failure to connect is to its caller
 */
export async function connectedAs<T>(
  connection: pg.ClientConfig,
  work: (client: pg.Client) => Promise<T>,
  refused = (error: Error): Error => error,
): Promise<T> {
  const client = new pg.Client(unlimited(connection));
  // A connection that breaks while nobody asks shows at the next statement.
  client.on("error", () => undefined);
  await client.connect().catch((error: Error) => {
    throw refused(error);
  });
  try {
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}
