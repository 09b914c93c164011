import { once } from "node:events";
import { createServer, request as sendRequest } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

export type Fault =
  /** Answers this at once; nothing reaches the server. */
  | { kind: "status"; status: number }
  /** Drops the connection before an answer. */
  | { kind: "reset" }
  /** Lets the answer's body stop after so many bytes and keeps the connection open; without them no answer begins. */
  | { kind: "stall"; afterBytes?: number }
  /** Ends the connection after so many bytes of the answer's body. */
  | { kind: "truncate"; afterBytes: number }
  /** Passes the request on and drops the connection instead of the server's answer. */
  | { kind: "lose-answer" }
  /** Passes the request on and keeps the server's answer to itself, and the connection open. */
  | { kind: "withhold-answer" }
  /** Inverts one byte of the answer's body. */
  | { kind: "flip"; byte: number }
  /** Waits before it passes the request on. */
  | { kind: "slow"; ms: number };

export interface FaultOptions {
  /** Requests that suffer it; all by default. */
  times?: number;
  /** Only requests of this method. */
  method?: string;
  /** Only requests whose path and query contain this. */
  path?: string;
}

/** An HTTP server in front of another that fails on demand. */
export interface FaultProxy {
  endpoint: string;
  /** Requests that came, faulty ones included: `PUT /bucket/key?query`. */
  requests: string[];
  /** What the server has answered, to faulty ones included: `PUT /bucket/key?query`. */
  answered: string[];
  /** The newest request's header `authorization`. */
  authorization(): string | undefined;
  /** Replaces the fault that is set. */
  inject(fault: Fault, options?: FaultOptions): void;
  heal(): void;
  close(): Promise<void>;
}

interface Injection extends FaultOptions {
  fault: Fault;
  left: number;
}

/** @param target such as `http://127.0.0.1:9000` */
export async function startFaultProxy(target: string): Promise<FaultProxy> {
  let injection: Injection | undefined;
  const [requests, answered]: [string[], string[]] = [[], []];
  let authorization: string | undefined;
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    ({ authorization } = request.headers);
    const fault = take(injection, request);
    const seen = () => answered.push(`${request.method} ${request.url}`);
    void pass(target, request, response, { fault, seen }).catch(() => response.destroy());
  });
  // Nothing is answered late because this server was quicker to close a connection than its client.
  server.keepAliveTimeout = 600_000;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    answered,
    authorization: () => authorization,
    inject: (fault, options = {}) => (injection = { fault, left: options.times ?? Infinity, ...options }),
    heal: () => (injection = undefined),
    close: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

function take(injection: Injection | undefined, { method, url }: IncomingMessage): Fault | undefined {
  if (!injection || injection.left <= 0) return undefined;
  if (injection.method !== undefined && injection.method !== method) return undefined;
  if (injection.path !== undefined && !url!.includes(injection.path)) return undefined;
  injection.left -= 1;
  return injection.fault;
}

async function pass(
  target: string,
  request: IncomingMessage,
  response: ServerResponse,
  { fault, seen }: { fault: Fault | undefined; seen: () => void },
): Promise<void> {
  if (fault?.kind === "status") {
    request.resume();
    await once(request, "end");
    return void response.writeHead(fault.status).end();
  }
  if (fault?.kind === "reset") return void request.socket.destroy();
  if (fault?.kind === "stall" && fault.afterBytes === undefined) return void request.resume();
  if (fault?.kind === "slow") await delay(fault.ms);
  const { method, headers } = request;
  const onward = sendRequest(new URL(request.url!, target), { method, headers });
  request.pipe(onward);
  const [answer] = (await once(onward, "response")) as [IncomingMessage];
  seen();
  if (fault?.kind === "withhold-answer") return void answer.resume();
  if (fault?.kind === "lose-answer") {
    answer.resume();
    await once(answer, "end");
    return void request.socket.destroy();
  }
  response.writeHead(answer.statusCode!, answer.headers);
  await passBody(answer, response, fault);
}

async function passBody(
  answer: IncomingMessage,
  response: ServerResponse,
  fault: Fault | undefined,
): Promise<void> {
  const limit = fault?.kind === "stall" || fault?.kind === "truncate" ? fault.afterBytes! : Infinity;
  let sent = 0;
  response.flushHeaders();
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    if (fault?.kind === "flip" && fault.byte >= sent && fault.byte < sent + chunk.length) {
      chunk[fault.byte - sent]! ^= 0xff;
    }
    const part = chunk.subarray(0, limit - sent);
    if (part.length > 0 && !response.write(part)) await once(response, "drain");
    sent += part.length;
    if (sent >= limit) return void (fault!.kind === "truncate" && response.destroy());
  }
  response.end();
}
