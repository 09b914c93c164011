import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";

export interface SwitchProxy {
  port: number;
  /** Cuts what is connected; who connects from now on gets to the other port. */
  switchTo(port: number): void;
  close(): Promise<void>;
}

/** An address that outlives the server behind it, as a virtual IP does. */
export async function startSwitchProxy(target: number): Promise<SwitchProxy> {
  const clients = new Set<Socket>();
  const cut = () => clients.forEach((client) => client.destroy());
  const server = createServer((client) => {
    const upstream = connect(target, "127.0.0.1");
    clients.add(client);
    client.pipe(upstream).pipe(client);
    const end = () => {
      clients.delete(client);
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) socket.on("error", end).on("close", end);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    switchTo: (port) => {
      target = port;
      cut();
    },
    close: async () => {
      server.close();
      cut();
      await once(server, "close");
    },
  };
}
