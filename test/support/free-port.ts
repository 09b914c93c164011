import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";

const MOST_ATTEMPTS = 3;

/**
 * Starts what listens on a port of its own. One that was free may be taken, by a connection that goes out, before it
 * listens: then another is tried.
 */
export async function onFreePort<T>(start: (port: number) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start(await freePort());
    } catch (error) {
      const taken = /address already in use|EADDRINUSE/i.test((error as Error).message);
      if (!taken || attempt === MOST_ATTEMPTS) throw error;
    }
  }
}

/** A loopback port that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
