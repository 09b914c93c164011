import { randomUUID } from "node:crypto";
import { createClient } from "graphql-ws";
import { WebSocket } from "ws";
import { eventually, startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";
import { rawGraph } from "../support/raw-http.js";
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
const NODES_OF_ONE_POINT = "{ models(first: 19) { totalCount } }";

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

test("what is refused costs as well", async () => {
  const careless = as("careless");
  const statuses = new Set<number>();
  for (let i = 0; i <= POINTS; i++) {
    statuses.add((await rawGraph(platform, "{ nothing }", { headers: careless })).status);
  }
  expect([...statuses]).toEqual([400, 429]);
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

test("an address that guesses tokens is not listened to any more, on either door; others are", async () => {
  const from = (address: string, token: string) => ({
    ...bearer(token),
    "x-forwarded-for": `203.0.113.99, ${address}`,
  });
  const good = issueToken({ sub: "patient" });
  for (let i = 0; i < FAILURES; i++) {
    const headers = from(
      "198.51.100.7",
      issueToken({}, { secret: `a guess ${i} that is long enough to be one` }),
    );
    expect((await rawGraph(platform, "{ me { subject } }", { headers })).status).toBe(401);
  }
  const shut = await rawGraph(platform, "{ me { subject } }", { headers: from("198.51.100.7", good) });
  expect(shut.status).toBe(429);
  expect(Number(shut.headers["retry-after"])).toBeGreaterThan(0);
  expect(JSON.parse(shut.body)).toMatchObject({ errors: [{ extensions: { code: "RATE_LIMITED" } }] });
  const elsewhere = await rawGraph(platform, "{ me { subject } }", { headers: from("198.51.100.8", good) });
  expect(elsewhere.status).toBe(200);
  const socket = new WebSocket(`${platform.url.replace("http", "ws")}/graphql`, "graphql-transport-ws", {
    headers: { "x-forwarded-for": "198.51.100.7" },
  });
  const closed = new Promise<number>((resolve) => socket.once("close", resolve));
  socket.once("open", () => socket.send(JSON.stringify({ type: "connection_init", payload: bearer(good) })));
  expect(await closed).toBe(4429);
});
