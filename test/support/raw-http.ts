import { request } from "node:http";
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http";
import { WebSocket } from "ws";

export interface RawAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

export interface RawRequest {
  method?: string;
  headers?: OutgoingHttpHeaders;
  body?: string;
  /** Called when the whole request has been handed to the socket. */
  onSent?: () => void;
}

/** A request over a connection of its own, with whatever headers: `fetch` sets some by itself. */
export function rawRequest(
  url: string,
  { method = "GET", headers = {}, body, onSent }: RawRequest = {},
): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers, agent: false }, (answer) => {
      const parts: Buffer[] = [];
      answer.on("data", (part: Buffer) => parts.push(part));
      answer.on("error", reject);
      answer.on("end", () =>
        resolve({
          status: answer.statusCode!,
          headers: answer.headers,
          body: Buffer.concat(parts).toString("utf8"),
        }),
      );
    });
    sent.on("error", reject);
    sent.end(body, onSent);
  });
}

/** A GraphQL request over a connection of its own. */
export function rawGraph(
  platform: { url: string },
  query: string,
  { headers = {}, onSent }: Pick<RawRequest, "headers" | "onSent"> = {},
): Promise<RawAnswer> {
  return rawRequest(`${platform.url}/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ query }),
    onSent,
  });
}

/** Tries to open the socket of subscriptions. @returns the status of the answer to the upgrade; 101 when it opened */
export function upgradeStatus(
  platform: { url: string },
  headers: Record<string, string>,
  path = "/graphql",
): Promise<number> {
  const socket = new WebSocket(`${platform.url.replace("http", "ws")}${path}`, "graphql-transport-ws", {
    headers,
  });
  return new Promise((resolve, reject) => {
    socket.once("open", () => {
      socket.terminate();
      resolve(101);
    });
    socket.once("unexpected-response", (sent, answer) => {
      sent.destroy();
      resolve(answer.statusCode!);
    });
    socket.once("error", reject);
  });
}
