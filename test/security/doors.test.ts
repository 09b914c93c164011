import { createClient } from "graphql-ws";
import { WebSocket } from "ws";
import { startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";
import { rawGraph, rawRequest } from "../support/raw-http.js";
import { TEST_SECRET, bearer, issueToken } from "../support/tokens.js";

let closed: Platform;
let open: Platform;
let authorized: Record<string, string>;
beforeAll(async () => {
  authorized = bearer(issueToken());
  closed = await startPlatform({
    environment: { ML_ENV: "production", ML_ALLOW_EMBEDDED: "true", ML_JWT_SECRET_KEY: TEST_SECRET },
    headers: authorized,
  });
  open = await startPlatform();
}, 120_000);
afterAll(() => Promise.all([closed.remove(), open.remove()]));

const json = { "content-type": "application/json" };

test("in production nobody introspects, and no page is there", async () => {
  const { errors } = await closed.ask("{ __schema { types { name } } }");
  expect(errors?.[0]?.extensions.code).toBe("INVALID_INPUT");
  for (const path of ["/", "/graphiql", "/graphiql/start.js"]) {
    expect((await rawRequest(`${closed.url}${path}`, { headers: authorized })).status).toBe(404);
  }
  const visit = await rawRequest(`${closed.url}/graphql`, { headers: { accept: "text/html" } });
  expect(visit.status).toBe(401);
  expect((await rawRequest(`${open.url}/graphiql`)).status).toBe(200);
});

test.each([
  ["a field", "{ modelz { totalCount } }", {}],
  ["an argument", "{ models(frist: 1) { totalCount } }", {}],
  ["a type", "query ($input: PredictInputt!) { me { subject } }", {}],
  [
    "an enum's value by variable",
    "query ($kind: ModelKind) { models(kind: $kind) { totalCount } }",
    { kind: "ONX" },
  ],
  [
    "an input's field by variable",
    "query ($input: PredictInput!) { predict(input: $input) { id } }",
    { input: { modle: "x", model: "x", inputs: [] } },
  ],
])("a wrong name of %s is answered without the right one, on both doors", async (_what, query, variables) => {
  const said = JSON.stringify(await closed.ask(query, variables));
  expect(said).toMatch(/INVALID_INPUT/);
  expect(said).not.toMatch(/Did you mean/);
  const client = createClient({
    url: `${closed.url.replace("http", "ws")}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: authorized,
    retryAttempts: 0,
  });
  const bySocket = await client
    .iterate({ query, variables })
    .next()
    .then(
      ({ value }) => JSON.stringify(value),
      (errors: unknown) => JSON.stringify(errors),
    );
  expect(bySocket).toMatch(/INVALID_INPUT/);
  expect(bySocket).not.toMatch(/Did you mean/);
  await client.dispose();
});

test("automatic persisted queries are off", async () => {
  const extensions = { persistedQuery: { version: 1, sha256Hash: "a".repeat(64) } };
  const answer = await rawRequest(`${closed.url}/graphql`, {
    method: "POST",
    headers: { ...json, ...authorized },
    body: JSON.stringify({ query: "{ me { subject } }", extensions }),
  });
  expect(JSON.parse(answer.body)).toMatchObject({ errors: [{ extensions: { code: "INVALID_INPUT" } }] });
});

test("a batch is refused", async () => {
  const answer = await rawRequest(`${closed.url}/graphql`, {
    method: "POST",
    headers: { ...json, ...authorized },
    body: JSON.stringify([{ query: "{ me { subject } }" }, { query: "{ me { subject } }" }]),
  });
  expect(answer.status).toBe(400);
  expect(answer.body).not.toMatch(/tester/);
});

test.each(["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])(
  "%s, which a page of any site may send, runs nothing",
  async (type) => {
    const answer = await rawRequest(`${closed.url}/graphql`, {
      method: "POST",
      headers: { "content-type": type, ...authorized },
      body: JSON.stringify({ query: "{ me { subject } }" }),
    });
    expect([400, 415]).toContain(answer.status);
    expect(answer.body).not.toMatch(/tester/);
  },
);

test("a GET needs a header that no page can send by itself, and mutates nothing", async () => {
  const get = (query: string, headers: Record<string, string>) =>
    rawRequest(`${closed.url}/graphql?query=${encodeURIComponent(query)}`, {
      headers: { ...authorized, ...headers },
    });
  expect((await get("{ me { subject } }", {})).status).toBe(400);
  const allowed = await get("{ me { subject } }", { "apollo-require-preflight": "true" });
  expect(JSON.parse(allowed.body)).toEqual({ data: { me: { subject: "tester" } } });
  const mutation = `mutation { createCollection(input: { name: "by-get" }) { collection { name } } }`;
  expect((await get(mutation, { "apollo-require-preflight": "true" })).status).toBe(405);
  expect(await closed.query(`{ collection(name: "by-get") { name } }`)).toEqual({ collection: null });
});

test("every answer forbids to be framed, sniffed or kept, and says nothing of what made it", async () => {
  const answers = [
    await rawGraph(closed, "{ me { subject } }", { headers: authorized }),
    await rawGraph(closed, "{ me { subject } }"),
    await rawGraph(closed, "{", { headers: authorized }),
    await rawRequest(`${closed.url}/health`),
    await rawRequest(`${closed.url}/nowhere`),
    await rawRequest(`${closed.url}/artifacts/x/y`),
  ];
  for (const { headers } of answers) {
    expect(headers).toMatchObject({
      "x-content-type-options": "nosniff",
      "x-frame-options": "DENY",
      "referrer-policy": "no-referrer",
      "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    });
    for (const name of ["server", "x-powered-by", "x-apollo-version"])
      expect(headers).not.toHaveProperty(name);
  }
  for (const { headers } of answers.slice(0, 3)) expect(headers["cache-control"]).toBe("no-store");
});

test.each(["/", "/graphiql", "/graphql"])("the page at %s has a policy of its own", async (path) => {
  const { headers, status } = await rawRequest(`${open.url}${path}`, { headers: { accept: "text/html" } });
  expect(status).toBe(200);
  expect(headers["content-security-policy"]).toMatch(
    /^default-src 'none'; script-src .*frame-ancestors 'none'$/,
  );
});

test("paths and links lead to no file but artifacts", async () => {
  for (const path of [
    "/artifacts/..%2f..%2fetc%2fpasswd/x",
    `/artifacts/${"a".repeat(64)}/..%2f..%2fetc%2fpasswd`,
    "/artifacts/../../etc/passwd",
    "/graphiql/..%2f..%2fserver.js",
    "/pages/%2e%2e/%2e%2e/server.js",
  ]) {
    const answer = await rawRequest(`${open.url}${path}`);
    expect([400, 401, 403, 404]).toContain(answer.status);
    expect(answer.body).not.toMatch(/root:|createGateway/);
  }
});

test("what a client sends makes no header and no line of the log", async () => {
  const line = "injected\r\nx-injected: yes";
  const answer = await rawGraph(closed, `{ model(name: ${JSON.stringify(line)}) { name } }`, {
    headers: { ...authorized, "x-request-id": "mine" },
  });
  expect(answer.headers).not.toHaveProperty("x-injected");
  expect(answer.headers["x-request-id"]).toMatch(/^[0-9a-f-]{36}$/);
  await rawRequest(`${closed.url}/nowhere%0d%0ax-injected:%20yes`);
  expect(closed.log.filter(({ notJson }) => notJson !== undefined)).toEqual([]);
});
