import { once } from "node:events";
import { createServer, request } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** `failing`: answers 500. `stalled`: takes requests and never answers. `cut`: ends every body in its middle. */
export type Mood = "well" | "failing" | "stalled" | "cut";

export interface S3Proxy {
  endpoint: string;
  /** Of requests from now on. */
  mood(mood: Mood): void;
  close(): Promise<void>;
}

/** Stands between the platform and an S3 store, and plays a store that is not well. */
export async function startS3Proxy(endpoint: string): Promise<S3Proxy> {
  let mood: Mood = "well";
  const server = createServer((incoming, answer) => {
    incoming.on("error", () => undefined);
    if (mood === "stalled") return void incoming.resume();
    if (mood === "failing") {
      incoming.resume();
      return void answer.writeHead(500).end("<Error><Code>InternalError</Code></Error>");
    }
    forward(endpoint, incoming, answer, mood === "cut");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    mood: (next) => (mood = next),
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

function forward(endpoint: string, incoming: IncomingMessage, answer: ServerResponse, cut: boolean): void {
  const { method, headers, url } = incoming;
  const upstream = request(`${endpoint}${url}`, { method, headers }, (response) => {
    answer.writeHead(response.statusCode!, response.headers);
    if (!cut) return void response.pipe(answer);
    response.once("data", (part: Buffer) => {
      answer.write(part.subarray(0, part.length / 2), () => answer.destroy());
    });
    response.once("end", () => answer.end());
  });
  upstream.on("error", () => answer.destroy());
  if (!cut) return void incoming.pipe(upstream);
  incoming.once("data", () => incoming.destroy());
  incoming.once("end", () => upstream.end());
}
