import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";

export interface MutingProxy {
  port: number;
  /** Holds back what clients say from now on. */
  mute(): void;
  unmute(): void;
  close(): Promise<void>;
}

/** A TCP proxy to a local port that can play a network failure. */
export async function startMutingProxy(target: number): Promise<MutingProxy> {
  const clients = new Set<Socket>();
  let muted = false;
  const server = createServer((client) => {
    const upstream = connect(target, "127.0.0.1");
    clients.add(client);
    client.on("data", (chunk) => upstream.write(chunk));
    upstream.pipe(client);
    client.on("close", () => upstream.destroy());
    upstream.on("close", () => client.destroy());
    client.on("error", () => upstream.destroy());
    upstream.on("error", () => client.destroy());
    if (muted) client.pause();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    mute: () => {
      muted = true;
      for (const client of clients) client.pause();
    },
    unmute: () => {
      muted = false;
      for (const client of clients) client.resume();
    },
    close: async () => {
      for (const client of clients) client.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
