import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { WebSocket } from "ws";
import { upgradeStatus } from "../../support/raw-http.js";
import { bearer, issueToken } from "../../support/tokens.js";
import { fromSomewhere } from "./attack.js";
import type { Attack, Site } from "./attack.js";

/** Opens the socket and sends. @returns the code with which the platform closes it */
async function closeCode(site: Site, ...messages: unknown[]): Promise<number> {
  const socket = new WebSocket(`${site.platform.url.replace("http", "ws")}/graphql`, "graphql-transport-ws", {
    headers: fromSomewhere(),
  });
  const closed = once(socket, "close") as Promise<[code: number]>;
  await once(socket, "open");
  for (const message of messages) {
    socket.send(typeof message === "string" ? message : JSON.stringify(message));
    // What follows a greeting is for after its answer.
    if (message !== messages.at(-1)) await Promise.race([once(socket, "message"), closed]);
  }
  const [code] = await closed;
  return code;
}

const SUBSCRIBE = { id: "1", type: "subscribe", payload: { query: "subscription { jobEvents { cursor } }" } };
const init = (token: string) => ({ type: "connection_init", payload: bearer(token) });

/** Connections that wait, flood or never end. */
export const socketAttacks: Attack[] = [
  {
    name: "a socket that says nothing",
    run: async (site) => expect(await closeCode(site)).toBe(4408),
  },
  {
    name: "a socket that subscribes before it says who it is",
    run: async (site) => expect(await closeCode(site, SUBSCRIBE)).toBe(4401),
  },
  {
    name: "a socket with a token of nobody",
    run: async (site) => {
      expect(await closeCode(site, { type: "connection_init" })).toBe(4403);
      expect(await closeCode(site, init(issueToken({ exp: 1 })))).toBe(4403);
    },
  },
  {
    name: "a socket that speaks another language, or too much at once",
    run: async (site) => {
      expect(await closeCode(site, "no json")).toBe(4400);
      expect(await closeCode(site, init(issueToken()), init(issueToken()))).toBe(4429);
      expect(await closeCode(site, "a".repeat(100_000))).toBe(1009);
    },
  },
  {
    name: "a page of another origin that opens a socket",
    run: async (site) =>
      expect(await upgradeStatus(site.platform, { origin: "https://evil.example" })).toBe(403),
  },
  {
    name: "a subscription that outlives its token",
    run: async (site) => {
      // Within the indulgence for clocks, which a socket is not given: its end is the token's.
      const token = issueToken({ sub: "short-lived", exp: Math.floor(Date.now() / 1000) + 2 });
      expect(await closeCode(site, init(token), SUBSCRIBE)).toBe(4403);
    },
  },
  {
    name: "headers that come a byte at a time",
    slow: true,
    run: async (site) => {
      const sockets = await Promise.all(Array.from({ length: 50 }, () => dial(site)));
      const drips = setInterval(() => {
        for (const socket of sockets) if (socket.writable) socket.write("x");
      }, 500);
      for (const socket of sockets) socket.write("GET /graphql HTTP/1.1\r\nX-Slow: ");
      await Promise.all(sockets.map((socket) => once(socket, "close")));
      clearInterval(drips);
    },
  },
  {
    name: "lines smuggled into a header",
    run: async (site) => {
      for (const request of [
        "GET /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /metrics HTTP/1.1\r\n\r\n",
        "GET /graphql HTTP/1.1\r\nHost: localhost\r\nX-A: a\u0000b\r\n\r\n",
        `GET /graphql HTTP/1.1\r\nHost: localhost\r\nX-Big: ${"a".repeat(100_000)}\r\n\r\n`,
        "GET /graphql HTTP/9.9\r\n\r\n",
      ]) {
        const socket = await dial(site);
        socket.write(request, "latin1");
        const [answer] = (await once(socket, "data")) as [Buffer];
        expect(answer.toString()).toMatch(/^HTTP\/1\.1 4\d\d /);
        socket.destroy();
      }
    },
  },
];

async function dial(site: Site): Promise<Socket> {
  const { hostname, port } = new URL(site.platform.url);
  const socket = connect(Number(port), hostname);
  socket.on("error", () => undefined);
  socket.resume();
  await once(socket, "connect");
  return socket;
}
