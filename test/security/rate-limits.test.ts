import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createClient } from "graphql-ws";
import { WebSocket } from "ws";
import { eventually, startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";
import { rawGraph, upgradeStatus } from "../support/raw-http.js";
import { TEST_SECRET, bearer, issueToken } from "../support/tokens.js";

const POINTS = 100;
const FAILURES = 60;

let platform: Platform;
beforeAll(async () => {
  platform = await startPlatform({
    environment: {
      ML_ENV: "test",
      ML_JWT_SECRET_KEY: TEST_SECRET,
      ML_RATE_LIMIT_POINTS: String(POINTS),
      ML_TRUSTED_PROXIES: "127.0.0.0/8",
    },
  });
});
afterAll(() => platform.remove());

const as = (sub: string): Record<string, string> => bearer(issueToken({ sub }));
const NODES_OF_ONE_POINT = "{ models(first: 9) { totalCount } }";

interface Refusal {
  errors: [{ message: string; extensions: { code: string; retryAfterSeconds: number } }];
}

test("a caller has its points of a minute, then 429 with the time to wait; others go on", async () => {
  const spender = as("spender");
  let given = 0;
  let answer = await rawGraph(platform, NODES_OF_ONE_POINT, { headers: spender });
  for (; answer.status === 200 && given < 2 * POINTS; given++) {
    answer = await rawGraph(platform, NODES_OF_ONE_POINT, { headers: spender });
  }
  expect(given).toBe(POINTS);
  expect(answer.status).toBe(429);
  const { errors } = JSON.parse(answer.body) as Refusal;
  expect(errors[0].extensions.code).toBe("RATE_LIMITED");
  expect(errors[0].message).toMatch(/100 points of a minute \(ML_RATE_LIMIT_POINTS\)/);
  const wait = errors[0].extensions.retryAfterSeconds;
  expect(wait).toBeGreaterThan(0);
  expect(wait).toBeLessThanOrEqual(60);
  expect(Math.abs(Number(answer.headers["retry-after"]) - wait)).toBeLessThanOrEqual(1);
  expect((await rawGraph(platform, NODES_OF_ONE_POINT, { headers: as("another") })).status).toBe(200);
  // From now on nobody reads what it asks.
  expect((await rawGraph(platform, NODES_OF_ONE_POINT, { headers: spender })).status).toBe(429);
  const unread = await eventually(
    () =>
      platform.query<{ audit: { edges: { node: object }[] } }>(
        `{ audit(first: 5, actor: "spender", action: "request") { edges { node { outcome } } } }`,
        {},
        as(randomUUID()),
      ),
    ({ audit }) => audit.edges.length > 0,
  );
  expect(unread.audit.edges[0]!.node).toEqual({ outcome: "RATE_LIMITED" });
});

test.each([
  ["a document that is wrong", "{ nothing }", {}],
  [
    "an operation that is too dear",
    "{ models(first: 100) { edges { node { versions(first: 100) { edges { node { model { transitions(first: 100) { totalCount } } } } } } } } }",
    {},
  ],
  ["variables that are too deep", "{ me { subject } }", JSON.parse("[".repeat(101) + "]".repeat(101))],
])("%s costs as well", async (what, query, input: unknown) => {
  const careless = as(what);
  const codes = new Set<string>();
  for (let i = 0; i <= POINTS; i++) {
    const { errors } = await platform.ask(query, { input }, careless);
    codes.add(String(errors?.[0]?.extensions.code));
  }
  expect([...codes]).toEqual(["INVALID_INPUT", "RATE_LIMITED"]);
});

test("more than a minute's points at once is refused without being waited for", async () => {
  const { errors } = await platform.ask(
    "{ models(first: 100) { edges { node { versions(first: 30) { totalCount } } } } }",
    {},
    as("greedy"),
  );
  expect(errors?.[0]?.extensions.code).toBe("RATE_LIMITED");
});

test("operations over a socket are paid from the same points", async () => {
  const token = issueToken({ sub: "by-socket" });
  const client = createClient({
    url: `${platform.url.replace("http", "ws")}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: bearer(token),
    retryAttempts: 0,
  });
  const ask = () =>
    new Promise<{ code: string } | undefined>((resolve, reject) => {
      client.subscribe(
        { query: NODES_OF_ONE_POINT },
        {
          next: () => resolve(undefined),
          error: (errors) =>
            Array.isArray(errors)
              ? resolve((errors[0] as { extensions: { code: string } }).extensions)
              : reject(new Error("closed")),
          complete: () => undefined,
        },
      );
    });
  for (let i = 0; i < POINTS; i++) expect(await ask()).toBeUndefined();
  expect(await ask()).toMatchObject({
    code: "RATE_LIMITED",
    retryAfterSeconds: expect.any(Number) as number,
  });
  const overHttp = await rawGraph(platform, NODES_OF_ONE_POINT, { headers: bearer(token) });
  expect(overHttp.status).toBe(429);
  await client.dispose();
});

const ME = "{ me { subject } }";
const from = (address: string, token: string) => ({
  ...bearer(token),
  "x-forwarded-for": `203.0.113.99, ${address}`,
});
const guess = (i: number) => issueToken({}, { secret: `a guess ${i} that is long enough to be one` });
const statusFrom = async (address: string, token: string): Promise<number> =>
  (await rawGraph(platform, ME, { headers: from(address, token) })).status;

test("an address that guesses tokens is not listened to any more, on either door; others are", async () => {
  const known = issueToken({ sub: "known" });
  expect(await statusFrom("198.51.100.7", known)).toBe(200);
  for (let i = 0; i < FAILURES; i++) expect(await statusFrom("198.51.100.7", guess(i))).toBe(401);
  const good = issueToken({ sub: "patient" });
  const shut = await rawGraph(platform, ME, { headers: from("198.51.100.7", good) });
  expect(shut.status).toBe(429);
  expect(Number(shut.headers["retry-after"])).toBeGreaterThan(0);
  expect(JSON.parse(shut.body)).toMatchObject({ errors: [{ extensions: { code: "RATE_LIMITED" } }] });
  const socket = new WebSocket(`${platform.url.replace("http", "ws")}/graphql`, "graphql-transport-ws", {
    headers: { "x-forwarded-for": "198.51.100.7" },
  });
  const closed = new Promise<number>((resolve) => socket.once("close", resolve));
  socket.once("open", () => socket.send(JSON.stringify({ type: "connection_init", payload: bearer(good) })));
  expect(await closed).toBe(4429);
  expect(await statusFrom("198.51.100.8", good)).toBe(200);
  // What was accepted before is no guess.
  expect(await statusFrom("198.51.100.7", known)).toBe(200);
});

test("guesses at once are no more than one after the other", async () => {
  const statuses = await Promise.all(
    Array.from({ length: 3 * FAILURES }, (_none, i) => statusFrom("198.51.100.20", guess(i))),
  );
  expect(statuses.filter((status) => status === 401)).toHaveLength(FAILURES);
  expect(statuses.filter((status) => status === 429)).toHaveLength(2 * FAILURES);
});

test("many good tokens at once are all accepted", async () => {
  const statuses = await Promise.all(
    Array.from({ length: 3 * FAILURES }, (_none, i) =>
      statusFrom("198.51.100.21", issueToken({ sub: `guest-${i}` })),
    ),
  );
  expect(new Set(statuses)).toEqual(new Set([200]));
});

test("a network of IPv6 guesses as one address", async () => {
  const good = issueToken({ sub: "neighbour" });
  for (let i = 0; i < FAILURES; i++) await statusFrom(`2001:DB8:0:2::${i}`, guess(i));
  expect(await statusFrom("2001:db8::2:f:0:0:1", good)).toBe(429);
  expect(await statusFrom("2001:db8:0:3::1", good)).toBe(200);
});

test("whoever presents nothing locks nobody out", async () => {
  const headers = { "x-forwarded-for": "198.51.100.30" };
  for (let i = 0; i <= FAILURES; i++) expect((await rawGraph(platform, ME, { headers })).status).toBe(401);
  expect(await statusFrom("198.51.100.30", issueToken({ sub: "after" }))).toBe(200);
});

test("an address has room for some sockets that do not say who they are; others have more", async () => {
  const address = `${platform.url.replace("http", "ws")}/graphql`;
  const strangers = Array.from(
    { length: 50 },
    (_none, i) =>
      new WebSocket(address, "graphql-transport-ws", {
        headers: { "x-forwarded-for": `2001:db8:0:4::${i}` },
      }),
  );
  await Promise.all(strangers.map((socket) => once(socket, "open")));
  expect(await upgradeStatus(platform, { "x-forwarded-for": "2001:db8:0:4::ffff" })).toBe(503);
  expect(await upgradeStatus(platform, { "x-forwarded-for": "2001:db8:0:5::1" })).toBe(101);
  for (const socket of strangers) socket.terminate();
});
