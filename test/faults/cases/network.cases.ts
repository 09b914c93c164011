import { connect } from "node:net";
import type { Socket } from "node:net";
import { createClient } from "graphql-ws";
import type { Client } from "graphql-ws";
import { WebSocket } from "ws";
import { until } from "../../support/until.js";
import { bearer } from "../../support/tokens.js";
import type { Fault } from "../fault.js";
import { underLoad } from "../under-load.js";
import type { SiteUnderLoad } from "../under-load.js";

const SLOW_CLIENTS = 150;
/** An honest client's prediction, at the 95th percentile. */
const MOST_MS = 1_000;
const SAMPLES = 100;
/** The gateway gives a client 10 s for its headers, and looks every 5 s. */
const CUT_WITHIN_MS = 20_000;

/** Clients that send their headers or their body byte by byte, or never read their answers. */
const slow: Fault = {
  ...{ name: `${3 * SLOW_CLIENTS} slow clients`, engine: "network", ci: true },
  run: (tier) =>
    underLoad(tier, { gateways: 1 }, async ({ cluster, workload, promotions }) => {
      const { hostname, port } = new URL(cluster.gateways[0]!.url);
      const { authorization } = bearer(cluster.token);
      const open = (first: string, drip?: string) => {
        const socket = connect(Number(port), hostname);
        socket.on("error", () => undefined);
        socket.write(first);
        if (drip !== undefined) {
          const dripping = setInterval(() => socket.write(drip), 500);
          socket.once("close", () => clearInterval(dripping));
        } else socket.pause();
        return socket;
      };
      const post = (length: number) =>
        `POST /graphql HTTP/1.1\r\nHost: ${hostname}:${port}\r\nAuthorization: ${authorization}\r\n` +
        `Content-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`;
      const body = JSON.stringify({ query: `{ __schema { types { name description fields { name } } } }` });
      const each = <T>(make: () => T) => Array.from({ length: SLOW_CLIENTS }, make);
      const headers = each(() => open(`POST /graphql HTTP/1.1\r\nHost: ${hostname}\r\nX-A: `, "a"));
      const bodies = each(() => open(post(10_000), " "));
      const readers = each(() => open((post(Buffer.byteLength(body)) + body).repeat(20)));
      const latency = await latencyOf(workload, promotions.model, cluster.gateways[0]!);
      const violations =
        latency > MOST_MS ? [`an honest client waits ${Math.round(latency)} ms at the 95th percentile`] : [];
      await until(() => headers.every((socket) => socket.closed), CUT_WITHIN_MS);
      [...bodies, ...readers].forEach((socket: Socket) => socket.destroy());
      return { at: performance.now(), violations, note: `p95 of others ${Math.round(latency)} ms` };
    }),
};

async function latencyOf(
  _: unknown,
  model: string,
  gateway: { query(query: string): Promise<unknown> },
): Promise<number> {
  const taken: number[] = [];
  for (let i = 0; i < SAMPLES; i++) {
    const asked = performance.now();
    await gateway.query(
      `{ predict(input: { model: "${model}", inputs: [{ name: "x", values: [[1]] }] }) { id } }`,
    );
    taken.push(performance.now() - asked);
  }
  taken.sort((a, b) => a - b);
  return taken[Math.floor(SAMPLES * 0.95)]!;
}

const SOCKETS = 1_000;
/** All of them are one caller's. */
const WITHOUT_SOCKET_LIMITS = { ML_MAX_SOCKETS_PER_CALLER: "0", ML_MAX_SUBSCRIPTIONS_PER_CALLER: "0" };
const OPENED_AT_ONCE = 50;
const EVENTS = 5;
const TOLD_WITHIN_MS = 15_000;

/** Idle subscribers on both gateways, and somebody who promotes. */
const sockets: Fault = {
  ...{ name: "1,000 sockets", engine: "network", ci: false },
  run: (tier) =>
    underLoad(tier, { environment: WITHOUT_SOCKET_LIMITS }, async (site) => withSubscribers(site)),
};

async function withSubscribers({ cluster, workload, promotions }: SiteUnderLoad) {
  const subscribers: Subscriber[] = [];
  for (let i = 0; i < SOCKETS; i += OPENED_AT_ONCE) {
    const some = Array.from({ length: OPENED_AT_ONCE }, (_, j) =>
      subscribe(cluster.gateways[(i + j) % 2]!.url, promotions.model, bearer(cluster.token)),
    );
    subscribers.push(...some);
    await until(() => some.every(({ connected }) => connected), TOLD_WITHIN_MS);
  }
  const latency = await latencyOf(workload, promotions.model, cluster.gateways[0]!);
  const from = subscribers.map(({ events }) => events);
  const asked = performance.now();
  await until(() => subscribers.every(({ events }, i) => events >= from[i]! + EVENTS), TOLD_WITHIN_MS);
  const told = performance.now() - asked;
  for (const { client } of subscribers) void client.dispose();
  return {
    at: performance.now(),
    violations:
      latency > MOST_MS ? [`an honest client waits ${Math.round(latency)} ms at the 95th percentile`] : [],
    note: `p95 of others ${Math.round(latency)} ms; ${EVENTS} events to all in ${Math.round(told)} ms`,
  };
}

interface Subscriber {
  client: Client;
  connected: boolean;
  events: number;
}

function subscribe(url: string, model: string, credentials: Record<string, string>): Subscriber {
  const subscriber = { connected: false, events: 0 } as Subscriber;
  subscriber.client = createClient({
    url: `${url.replace("http", "ws")}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: credentials,
    retryAttempts: 0,
    on: { connected: () => void (subscriber.connected = true) },
  });
  subscriber.client.subscribe(
    {
      query: `subscription Promotions($model: String) { promotionEvents(model: $model) { cursor } }`,
      variables: { model },
    },
    { next: () => void subscriber.events++, error: () => undefined, complete: () => undefined },
  );
  return subscriber;
}

export const networkFaults: Fault[] = [slow, sockets];
